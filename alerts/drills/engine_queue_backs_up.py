"""More users than the engine has room for: the queue is several batches long, yet everybody is answered in time."""

from alerts.drills.drill import TICKET, Drill
from alerts.drills.stack import Stack
from alerts.drills.traffic import Traffic

_TRAFFIC = Traffic(clients=32, max_tokens=1)
"""Each asks again at once. Prompts are read one by one, so that few run and most wait; and answers are so short that
the prober's comes within its time although it waits for all of those."""


def _inject(stack: Stack) -> None:
    _TRAFFIC.start(stack)


def _mend(stack: Stack) -> None:
    _TRAFFIC.stop()


DRILL = Drill(
    name="engine_queue_backs_up",
    story="32 users of the inference service at once, each with one short request after the other.",
    alert="EngineQueueBacklog",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Queue backs up", "inference"),
)
