"""Routes, inhibit rules and receivers as a part that merges into an Alertmanager configuration that exists already.

Every name carries a prefix, so that nothing of the other configuration is taken over, and a second merge replaces the
first.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from alertmanager.generate import configuration, links_template
from alertmanager.receivers import TEMPLATES, Receivers, smtp_settings
from alertmanager.teams import Team
from alerts.links import Links
from alerts.timing import Timing

PREFIX: Final = "inferwatch-"
OURS: Final = 'class=~"root|symptom|meta|inhibitor"'
"""What every alert of this catalogue has, and hardly any other: the label `class`."""


class _Loader(yaml.SafeLoader):
    """YAML as Alertmanager reads it: 17:00 is a text there, not 1020 as in YAML 1.1."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in ("int", "float", "timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(0|[1-9][0-9]*)$"), list("-0123456789"))


def fragment(timing: Timing, links: Links, receivers: Receivers, teams: Mapping[str, Team]) -> dict[str, Any]:
    """What has to be merged: one route with all below it, inhibit rules, receivers, time intervals, templates."""
    whole = configuration(timing, links, receivers, teams)
    route = _prefixed(whole["route"]) | {"matchers": [OURS]}
    made = {
        "route": {"routes": [route]},
        "time_intervals": [one | {"name": PREFIX + one["name"]} for one in whole.get("time_intervals", ())],
        "inhibit_rules": whole["inhibit_rules"],
        "receivers": [_alone(one, receivers) for one in whole["receivers"]],
        "templates": whole["templates"],
    }
    return {key: value for key, value in made.items() if value}


def merge(existing: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """An existing configuration with the fragment in it, in place of one that was merged before.

    Raises:
        ValueError: It is no Alertmanager configuration.
    """
    document = _read(existing)
    route = document["route"]
    others = [one for one in route.get("routes") or () if not str(one.get("receiver", "")).startswith(PREFIX)]
    # First, so that no route of theirs that takes everything hides ours.
    merged = document | {"route": route | {"routes": [*part["route"]["routes"], *others]}}
    for key in ("time_intervals", "receivers"):
        kept = [one for one in document.get(key) or () if not one["name"].startswith(PREFIX)]
        merged |= {key: kept + part.get(key, [])} if kept or part.get(key) else {}
    for key in ("inhibit_rules", "templates"):
        kept = [one for one in document.get(key) or () if one not in part.get(key, [])]
        merged |= {key: kept + part.get(key, [])}
    return merged


def templates(links: Links) -> dict[str, str]:
    """The message templates under names of their own: file name to text."""
    files = {path.name: path.read_text() for path in sorted(TEMPLATES.glob("*.tmpl"))}
    files["links.tmpl"] = links_template(links)
    return {PREFIX + name: _renamed(text) for name, text in files.items()}


def _read(existing: str) -> dict[str, Any]:
    try:
        document = yaml.load(existing, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ValueError(f"no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict) or not isinstance(document.get("route"), dict):
        raise ValueError("no Alertmanager configuration: it has no route")
    return document


def _prefixed(route: dict[str, Any]) -> dict[str, Any]:
    """A route with the names of this part, and the same for all below it."""
    made = dict(route)
    if "receiver" in made:
        made["receiver"] = PREFIX + made["receiver"]
    if "active_time_intervals" in made:
        made["active_time_intervals"] = [PREFIX + name for name in made["active_time_intervals"]]
    if "routes" in made:
        made["routes"] = [_prefixed(one) for one in made["routes"]]
    return made


def _alone(receiver: dict[str, Any], receivers: Receivers) -> dict[str, Any]:
    """A receiver that needs nothing of the global section, which is the other configuration's."""
    made = {"name": PREFIX + receiver["name"]}
    for key, integrations in receiver.items():
        if key != "name":
            own = _global_of(key, receivers)
            made[key] = [_rewritten(one | own) for one in integrations]
    return made


def _global_of(key: str, receivers: Receivers) -> dict[str, Any]:
    if key == "email_configs":
        # The inbox is this stack's own: whoever names no mail server means the one of their `global`.
        return {} if receivers.smarthost == Receivers().smarthost else smtp_settings(receivers)
    return {"url": receivers.pagerduty_url} if key == "pagerduty_configs" and receivers.pagerduty_url else {}


def _rewritten(value: Any) -> Any:  # noqa: ANN401 - any part of a document
    if isinstance(value, dict):
        return {key: _rewritten(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rewritten(one) for one in value]
    return _renamed(value) if isinstance(value, str) else value


def _renamed(text: str) -> str:
    """Template names with a prefix: many a configuration has a `slack.title` of its own."""
    return re.sub(r'\b(define|template) "', rf'\1 "{PREFIX}', text)
