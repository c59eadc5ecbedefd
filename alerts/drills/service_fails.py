"""Every request fails inside a service whose engine is alive: a symptom without a modelled root."""

from alerts.drills.calls import call
from alerts.drills.drill import PAGE, Drill
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    call("PUT", f"{stack.url('inference')}/admin/faults/error", {"ratio": 1.0})


def _mend(stack: Stack) -> None:
    call("DELETE", f"{stack.url('inference')}/admin/faults/error")


DRILL = Drill(
    name="service_fails",
    story="Every request to the inference service fails with an internal error, through the fault API.",
    alert="ServiceDown",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Service down", "inference"),
)
