"""Bursts of requests fail while the service answers its probes: a promise breaks and nothing is down."""

import time

import httpx

from alerts.drills.calls import call
from alerts.drills.drill import PAGE, Drill
from alerts.drills.stack import Stack

_REQUESTS = 150
"""Of one burst: beside the prober's requests, and some users', far more than may fail in half an hour."""
_BURSTS = 2
_SECONDS = 10


def _inject(stack: Stack) -> None:
    pause = stack.timing.symptom_group_wait * 2 / 3
    for burst in range(_BURSTS):
        # So that the short window still sees failures when the message is due.
        time.sleep(pause if burst else 0)
        _fail(stack)


def _fail(stack: Stack) -> None:
    """A burst. The fault ends with it, so that no two probes in a row meet it."""
    base = stack.url("inference")
    model = call("GET", f"{base}/v1/models")["data"][0]["id"]
    call("PUT", f"{base}/admin/faults/error", {"count": _REQUESTS})
    body = {"model": model, "prompt": "1", "max_tokens": 1}
    with httpx.Client(base_url=base, timeout=_SECONDS, trust_env=False) as client:
        for _ in range(_REQUESTS):
            client.post("/v1/completions", json=body)
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
