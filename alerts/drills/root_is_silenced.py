"""An engine dies while somebody has silenced its page, so that its symptoms are muted by what nobody hears."""

import time
from datetime import UTC, datetime, timedelta

from alerts.drills.calls import call
from alerts.drills.drill import PAGE, Drill
from alerts.drills.stack import Stack

SILENCED = "EngineDown"
_COMMENT = "drill: root_is_silenced"
_LONGEST_SECONDS = 3600.0
"""The silence ends by itself where a drill was interrupted before it could be mended."""


def _inject(stack: Stack) -> None:
    now = datetime.now(UTC)
    silence = {
        "matchers": [{"name": "alertname", "value": SILENCED, "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(seconds=_LONGEST_SECONDS)).isoformat(),
        "createdBy": "drill",
        "comment": _COMMENT,
    }
    call("POST", f"{stack.url('alertmanager')}/api/v2/silences", silence)
    stack.hold("inference")
    stack.kill("inference")


def _mend(stack: Stack) -> None:
    """The engine first: its page would leave as soon as the silence is gone."""
    stack.release("inference")
    give_up = time.monotonic() + 4 * stack.timing.window(60) + 60
    while _fires(stack) and time.monotonic() < give_up:
        time.sleep(stack.timing.scrape_interval)
    for silence in call("GET", f"{stack.url('alertmanager')}/api/v2/silences"):
        if silence["comment"] == _COMMENT and silence["status"]["state"] == "active":
            call("DELETE", f"{stack.url('alertmanager')}/api/v2/silence/{silence['id']}")


def _fires(stack: Stack) -> bool:
    alerts = call("GET", f"{stack.url('alertmanager')}/api/v2/alerts")
    return any(alert["labels"]["alertname"] == SILENCED for alert in alerts)


DRILL = Drill(
    name="root_is_silenced",
    story="Silence EngineDown, then SIGKILL the inference service and hold its restart.",
    alert="SymptomUnexplained",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Unexplained", "inference"),
)
