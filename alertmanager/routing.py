"""Routes: which receiver an alert reaches, how alerts are grouped into one message, how often it repeats.

Routes read the labels that every alert carries (severity, class, team), never alert names, so that a new alert
needs no route. Watchdog is the exception: it is the heartbeat.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from alertmanager.deadman import WATCHDOG
from alertmanager.receivers import HEARTBEAT, NOBODY, UNROUTED, page, ticket
from alertmanager.teams import Team
from alerts.timing import Timing, duration

TEAM: Final = "team"
"""Label that says whose an alert is."""

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


def route_tree(timing: Timing, teams: Mapping[str, Team]) -> dict[str, Any]:
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
            _pages(timing, teams),
            _tickets(timing, teams),
        ],
    }


def time_intervals(teams: Mapping[str, Team]) -> list[dict[str, Any]]:
    """The hours in which teams take tickets, as Alertmanager's `time_intervals`."""
    return [
        {
            "name": _hours_name(name),
            "time_intervals": [
                {
                    "weekdays": list(hours.weekdays),
                    "times": [{"start_time": hours.start, "end_time": hours.end}],
                    "location": hours.location,
                }
            ],
        }
        for name, team in teams.items()
        if (hours := team.ticket_hours)
    ]


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


def _pages(timing: Timing, teams: Mapping[str, Team]) -> dict[str, Any]:
    """Roots and meta alerts by what broke; symptoms by who is hurt, later, so that their root can mute them."""
    symptom = _symptom(timing) | {"group_by": _GROUPS["symptom"]}
    common = {"matchers": [equals("severity", "page")], "group_by": _GROUPS["root"], "repeat_interval": PAGE_REPEAT}
    return _by_team(teams, common, lambda name: {"receiver": page(name), "routes": [symptom]})


def _tickets(timing: Timing, teams: Mapping[str, Team]) -> dict[str, Any]:
    def of_team(name: str) -> dict[str, Any]:
        # Alertmanager's routes inherit everything but these hours.
        hours = {"active_time_intervals": [_hours_name(name)]} if teams[name].ticket_hours else {}
        return {"receiver": ticket(name), **hours, "routes": [_symptom(timing) | hours]}

    return _by_team(teams, {"matchers": [equals("severity", "ticket")]}, of_team)


def _by_team(
    teams: Mapping[str, Team], common: dict[str, Any], of_team: Callable[[str], dict[str, Any]]
) -> dict[str, Any]:
    """A route that parts its alerts by team: by a team's own matchers, then by the label, else to the first team."""
    default = next(iter(teams))
    matched = [(name, team.matchers) for name, team in teams.items() if team.matchers]
    labelled = [(name, [equals(TEAM, name)]) for name in teams]
    # One team alone gets everything, so nothing has to be told apart.
    rules = matched + labelled if len(teams) > 1 else []
    rest = of_team(default)
    routes = [{"matchers": list(matchers)} | of_team(name) for name, matchers in rules] + rest["routes"]
    return {"receiver": rest["receiver"]} | common | rest | {"routes": routes}


def _hours_name(team: str) -> str:
    return f"ticket-hours-{team}"


def _symptom(timing: Timing) -> dict[str, Any]:
    return {"matchers": [equals("class", "symptom")], "group_wait": duration(timing.symptom_group_wait)}
