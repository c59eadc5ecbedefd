"""Inhibit rules, derived from the edges that alerts declare (`Alert.mutes`), never from names.

The source is the root's hidden twin (alerts/rules/inhibitors.py), which exists from pending until the tail
after the root, so that neither end of an incident leaks.
"""

from collections.abc import Iterable
from typing import Any

from alertmanager.routing import equals
from alerts.rule import Group, Mute
from alerts.rules.inhibitors import twin_name


def inhibit_rules(groups: Iterable[Group]) -> list[dict[str, Any]]:
    """One rule per edge, in the order of the catalogue."""
    edges = [(twin_name(alert, mute), mute) for group in groups for alert in group.alerts for mute in alert.mutes]
    # An alert of several rules (one for each objective) has each of its edges once.
    return [_rule(twin, mute) for twin, mute in dict.fromkeys(edges)]


def _rule(twin: str, mute: Mute) -> dict[str, Any]:
    # Labels that are missing on both sides count as equal, so one alert without them would mute the world.
    present = [f'{label}!=""' for label in mute.equal]
    return {
        "source_matchers": [equals("alertname", twin), *present],
        "target_matchers": [equals("alertname", mute.alert), *present],
        "equal": list(mute.equal),
    }
