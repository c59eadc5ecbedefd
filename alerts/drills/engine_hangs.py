"""The engine stops stepping while its health page still says ok."""

from alerts.drills.calls import call
from alerts.drills.drill import PAGE, Drill
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    call("PUT", f"{stack.url('inference')}/admin/faults/hang", {})


def _mend(stack: Stack) -> None:
    call("DELETE", f"{stack.url('inference')}/admin/faults/hang")


DRILL = Drill(
    name="engine_hangs",
    story="The engine's loop stops through the fault API; /health and /metrics still answer.",
    alert="EngineHung",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Engine hung", "inference"),
)
