"""Every replica of the service dies at once: one page for the common cause, not one for each."""

from alerts.drills.calls import until_it_answers
from alerts.drills.drill import PAGE, Drill
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    for replica in stack.replicas():
        stack.hold(replica)
        stack.kill(replica)


def _mend(stack: Stack) -> None:
    for replica in stack.replicas():
        stack.release(replica)
    for replica in stack.replicas():
        until_it_answers(stack.url(replica))


DRILL = Drill(
    name="replicas_die_together",
    story="SIGKILL all three replicas of the inference service and hold their restarts.",
    alert="FleetTargetsDown",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Mass failure: many inference targets", "3 targets down"),
    replicas=3,
)
