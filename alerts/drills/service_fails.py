"""Every request fails inside a service whose engine is alive: a symptom without a modelled root."""

import httpx

from alerts.drills.drill import PAGE, Drill
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    httpx.put(f"{stack.url('inference')}/admin/faults/error", json={"ratio": 1.0}).raise_for_status()


def _mend(stack: Stack) -> None:
    httpx.delete(f"{stack.url('inference')}/admin/faults/error").raise_for_status()


DRILL = Drill(
    name="service_fails",
    story="Every request to the inference service fails with an internal error, through the fault API.",
    alert="ServiceDown",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Service down", "inference"),
)
