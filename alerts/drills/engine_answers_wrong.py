"""The engine computes wrong tokens, and everything else about it looks well."""

import time

from alerts import signals
from alerts.drills.calls import call, query
from alerts.drills.drill import PAGE, Drill
from alerts.drills.stack import Stack

_LEARNING_SECONDS = 60
"""The prober learns what it hears twice in a row; so it would the wrong answer, were it broken before."""


def _prepare(stack: Stack) -> None:
    give_up = time.monotonic() + _LEARNING_SECONDS
    learned = f"min_over_time({signals.PROBE_ANSWER_MATCHES.over('10s')}) == 1"
    while not query(stack.url("prometheus"), learned):
        if time.monotonic() > give_up:
            raise TimeoutError(f"the prober has learned no golden answer within {_LEARNING_SECONDS} s")
        time.sleep(1)


def _inject(stack: Stack) -> None:
    call("PUT", f"{stack.url('inference')}/admin/faults/wrong_answers", {})


def _mend(stack: Stack) -> None:
    call("DELETE", f"{stack.url('inference')}/admin/faults/wrong_answers")


DRILL = Drill(
    name="engine_answers_wrong",
    story="Each token of the inference service is replaced by its neighbour, through the fault API.",
    alert="EngineAnswersWrong",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Wrong answers", "inference"),
    prepare=_prepare,
)
