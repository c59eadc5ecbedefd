"""Routes: which receiver an alert reaches, how alerts are grouped into one message, how often it repeats.

Routes read the labels that every alert carries (severity, class), never alert names, so that a new alert
needs no route. Watchdog is the exception: it is the heartbeat.
"""

from typing import Any, Final

from alertmanager.receivers import HEARTBEAT, NOBODY, PAGE, TICKET, UNROUTED
from alerts.timing import Timing, duration

WATCHDOG: Final = "Watchdog"

PAGE_REPEAT: Final = "4h"
"""Half a shift: long enough not to nag who works on it, short enough that a handover gets the message again."""
TICKET_REPEAT: Final = "24h"
"""Once a working day. Both repeats must stay below --data.retention (120 h by default): what Alertmanager has
forgotten, it sends again. From 0.25 on it keeps an entry for twice the repeat and no longer."""

_GROUPS: Final = {
    "root": ["cluster", "alertname", "service"],
    "symptom": ["cluster", "service"],
    "ticket": ["cluster", "alertname"],
}
_HEARTBEAT_REPEAT: Final = 0.8
"""Share of the heartbeat interval. A repeat is sent at the first tick after it is due, and the previous one is
dated when it was delivered, slightly after its tick: a repeat of a whole interval would miss every second tick."""


def route_tree(timing: Timing) -> dict[str, Any]:
    """The routing tree. What matches no route goes to `unrouted`, which people see."""
    return {
        "receiver": UNROUTED,
        "group_by": _GROUPS["ticket"],
        "group_wait": duration(timing.root_group_wait),
        "group_interval": duration(timing.group_interval),
        "repeat_interval": TICKET_REPEAT,
        "routes": [
            _heartbeat(timing),
            {"receiver": NOBODY, "matchers": [equals("severity", "none")]},
            _page(timing),
            _ticket(timing),
        ],
    }


def equals(label: str, value: str) -> str:
    """A matcher in the form that every Alertmanager from 0.25 reads alike: the value in double quotes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{label}="{escaped}"'


def _heartbeat(timing: Timing) -> dict[str, Any]:
    return {
        "receiver": HEARTBEAT,
        "matchers": [equals("alertname", WATCHDOG)],
        "group_wait": "0s",
        "group_interval": duration(timing.heartbeat_interval),
        "repeat_interval": duration(_HEARTBEAT_REPEAT * timing.heartbeat_interval),
    }


def _page(timing: Timing) -> dict[str, Any]:
    """Roots and meta alerts by what broke; symptoms by who is hurt, later, so that their root can mute them."""
    return {
        "receiver": PAGE,
        "matchers": [equals("severity", "page")],
        "group_by": _GROUPS["root"],
        "repeat_interval": PAGE_REPEAT,
        "routes": [_symptom(timing) | {"group_by": _GROUPS["symptom"]}],
    }


def _ticket(timing: Timing) -> dict[str, Any]:
    return {
        "receiver": TICKET,
        "matchers": [equals("severity", "ticket")],
        "routes": [_symptom(timing)],
    }


def _symptom(timing: Timing) -> dict[str, Any]:
    return {"matchers": [equals("class", "symptom")], "group_wait": duration(timing.symptom_group_wait)}
