"""The engine's process is killed and stays down."""

from alerts.drills.calls import until_it_answers
from alerts.drills.drill import PAGE, Drill
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    stack.hold("inference")
    stack.kill("inference")


def _mend(stack: Stack) -> None:
    stack.release("inference")
    until_it_answers(stack.url("inference"))


DRILL = Drill(
    name="engine_dies",
    story="SIGKILL the inference service and hold its restart.",
    alert="EngineDown",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Engine down", "inference"),
)
