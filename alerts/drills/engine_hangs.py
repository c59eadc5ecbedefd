"""The engine stops stepping while its health page still says ok."""

import httpx

from alerts.drills.drill import PAGE, Drill
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    httpx.put(f"{stack.url('inference')}/admin/faults/hang", json={}).raise_for_status()


def _mend(stack: Stack) -> None:
    httpx.delete(f"{stack.url('inference')}/admin/faults/hang").raise_for_status()


DRILL = Drill(
    name="engine_hangs",
    story="The engine's loop stops through the fault API; /health and /metrics still answer.",
    alert="EngineHung",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Engine hung", "inference"),
)
