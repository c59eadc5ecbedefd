"""What changed within the last hour, for whoever asks first: what was changed?

A value counts as changed where it was seen within the hour but not before it, and something was known before: a stack
that is younger than that has no before. Series say what (`what`) and to which value (`to`).
"""

from alerts import signals
from alerts.engines.adapter import record
from alerts.objectives import Objectives
from alerts.rule import Alert, Group
from alerts.signals import Signal
from alerts.timing import Timing, duration

LOOK_BACK_SECONDS = 3600
_SERVICE, _HOST = "cluster, namespace, service", "cluster, host"
_OF_A_SERVICE = {"version": "version", "model": "model", "settings": "config_hash"}
_OF_A_HOST = {"driver": "driver_version", "VBIOS": "vbios_version"}


def group(timing: Timing, objectives: Objectives) -> Group:
    """The recordings that `changed` reads; no alerts: a change is no trouble."""
    services = [_changed(signals.BUILD_INFO, _SERVICE, *pair, timing) for pair in _OF_A_SERVICE.items()]
    hour = duration(timing.window(LOOK_BACK_SECONDS))
    restarts = f"max_over_time({signals.RESTARTS.over(hour)}) > 0"
    services.append(_named(restarts, _SERVICE, "restart of", "instance"))
    hosts = [_changed(signals.GPU_INFO, _HOST, *pair, timing) for pair in _OF_A_HOST.items()]
    recordings = (
        record(signals.SERVICE_CHANGED, "\nor\n".join(services)),
        record(signals.HOST_CHANGED, "\nor\n".join(hosts)),
    )
    return Group("changes", recordings, (), interval=timing.window(60))


def words(alert: Alert, timing: Timing) -> str:
    """What changed where an alert fires, as a Prometheus template; empty where nothing did that is known of."""
    if alert.component in ("engine", "service"):
        series, labels = signals.SERVICE_CHANGED, ("cluster", "service")
    elif alert.component == "gpu":
        series, labels = signals.HOST_CHANGED, ("cluster", "host")
    else:
        return ""
    matchers = ", ".join(f"{label}=%q" for label in labels)
    values = " ".join(f"$labels.{label}" for label in labels)
    begin = f"within {duration(timing.window(LOOK_BACK_SECONDS))}: "
    return (
        f"{{{{ range $i, $one := query (printf `max by (what, to) ({series}{{{matchers}}})` {values}) }}}}"
        f"{{{{ if $i }}}}, {{{{ else }}}}{begin}{{{{ end }}}}{{{{ .Labels.what }}}} {{{{ .Labels.to }}}}{{{{ end }}}}"
    )


def _changed(info: Signal, scope: str, what: str, label: str, timing: Timing) -> str:
    """Values of a label of an info series that were seen within the hour but not before it."""
    hour, bridge = (duration(timing.window(seconds)) for seconds in (LOOK_BACK_SECONDS, 300))
    before = f"last_over_time({info.over(bridge)} offset {hour})"
    now = f"count by ({scope}, {label}) (last_over_time({info.over(hour)}))"
    new = f"{now} unless count by ({scope}, {label}) ({before}) and on ({scope}) count by ({scope}) ({before})"
    return _named(new, scope, what, label)


def _named(expr: str, scope: str, what: str, label: str) -> str:
    value = f'label_replace({expr}, "to", "$1", "{label}", "(.*)")'
    return f'max by ({scope}, what, to) (label_replace({value}, "what", "{what}", "", ""))'
