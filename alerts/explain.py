"""One alert in words: when it fires, how soon it is heard, what it mutes and what mutes it, and what proves it."""

import re

from alerts.drills import DRILLS
from alerts.objectives import Objectives
from alerts.rule import Alert
from alerts.rules import catalogue
from alerts.timing import Timing, duration


def explain(name: str, timing: Timing, objectives: Objectives | None = None) -> str:
    """Everything that a reader wants to know of an alert, as text; objectives None reads alerts/objectives.yaml.

    Raises:
        KeyError: If there is no such alert, or objectives disable it; its argument is a message for people.
    """
    known = catalogue(timing, objectives)
    if name not in known:
        raise KeyError(f"no alert {name!r}; there are {', '.join(sorted(known))}")
    alert = known[name]
    facts = {
        "impact": alert.impact,
        "do first": alert.action,
        "details": alert.description,
        "threshold": alert.threshold,
        "reaches": _reaches(alert),
        "fires after": duration(timing.pending(alert.pending)) if alert.pending else "the first bad evaluation",
        "resolves after": f"{duration(timing.window(alert.keep_firing))} of good readings" if alert.keep_firing else "",
        "heard within": f"{alert.bound(timing):.0f} s of the fault" if alert.severity != "none" else "",
        "mutes": ", ".join(f"{mute.alert} (same {', '.join(mute.equal)})" for mute in alert.mutes) or "nothing",
        "muted by": ", ".join(root.name for root in known.values() if name in {mute.alert for mute in root.mutes})
        or "nothing",
        "drill": ", ".join(drill.name for drill in DRILLS if drill.alert == name) or "none; promtool cases only",
        "runbook": f"alerts/runbooks/{name}.md",
    }
    lines = [f"{name}: {_plain(alert.summary)}", ""]
    lines += [f"{fact:15} {_plain(text)}" for fact, text in facts.items() if text]
    return "\n".join([*lines, "", "expression", *(f"  {line}" for line in alert.expr.splitlines())])


def _reaches(alert: Alert) -> str:
    if alert.breaks_replica:
        unknown = ", or nobody says whose GPU it is" if alert.component == "gpu" else ""
        return f"everybody at once where a service has too few healthy replicas left{unknown}; else a ticket"
    return {"page": "everybody at once, by every channel", "ticket": "the tickets' channel"}.get(
        alert.severity, "nobody"
    )


def _plain(text: str) -> str:
    """A Prometheus template as a reader would say it: a label as `<label>`, what is computed as `…`."""
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"<\1>", text)
    return re.sub(r"\{\{.*?\}\}", "…", text)
