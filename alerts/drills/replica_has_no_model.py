"""One of two replicas has lost its model: it answers, counts as up, and serves nobody."""

from alerts.drills.calls import call
from alerts.drills.drill import PAGE, Drill
from alerts.drills.stack import Stack

_FAULT = "/admin/faults/model_not_loaded"


def _inject(stack: Stack) -> None:
    call("PUT", stack.url(stack.replicas()[-1]) + _FAULT, {})


def _mend(stack: Stack) -> None:
    call("DELETE", stack.url(stack.replicas()[-1]) + _FAULT)


DRILL = Drill(
    name="replica_has_no_model",
    story="The second of two replicas loses its model through the fault API; its users need both.",
    alert="ServiceCapacityLost",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Capacity lost: inference", stack.url(stack.replicas()[-1]).removeprefix("http://")),
    replicas=2,
)
