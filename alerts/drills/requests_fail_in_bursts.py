"""Bursts of requests fail while the service answers its probes: a promise breaks and nothing is down."""

import time

from alerts.drills import traffic
from alerts.drills.calls import call
from alerts.drills.drill import PAGE, Drill
from alerts.drills.stack import Stack

_REQUESTS = 150
"""Of one burst: beside the prober's requests, and some users', far more than may fail in half an hour."""
_BURSTS = 2


def _inject(stack: Stack) -> None:
    pause = stack.timing.symptom_group_wait * 2 / 3
    for burst in range(_BURSTS):
        # So that the short window still sees failures when the message is due.
        time.sleep(pause if burst else 0)
        _fail(stack)


def _fail(stack: Stack) -> None:
    """A burst. The fault ends with it, so that no two probes in a row meet it."""
    call("PUT", f"{stack.url('inference')}/admin/faults/error", {"count": _REQUESTS})
    traffic.send(stack, _REQUESTS)
    _mend(stack)


def _mend(stack: Stack) -> None:
    call("DELETE", f"{stack.url('inference')}/admin/faults/error")


DRILL = Drill(
    name="requests_fail_in_bursts",
    story="Two bursts of 150 requests fail through the fault API; the service goes on answering its probes.",
    alert="SloFastBurn",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Error budget burns fast", "inference"),
)
