"""An exporter's process is killed and stays down."""

from alerts.drills.drill import TICKET, Drill
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    stack.hold("node-exporter")
    stack.kill("node-exporter")


def _mend(stack: Stack) -> None:
    stack.release("node-exporter")


DRILL = Drill(
    name="exporter_dies",
    story="SIGKILL the node exporter and hold its restart.",
    alert="TargetDown",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Target down", "node-exporter"),
)
