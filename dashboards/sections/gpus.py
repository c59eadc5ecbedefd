"""GPUs: the hardware beneath the engines."""

from alerts import signals
from alerts.rules.gpu import MARGIN_CELSIUS
from alerts.signals import Signal
from dashboards.board import Section
from dashboards.panels import BAD, GOOD, PLAIN, WARN, Query, Said, lines, states
from dashboards.queries import BARS, LINES, worst
from dashboards.sdk import PanelBuilder
from dashboards.variables import ON_HOST

_THIRD = 8
_MARGIN_WARN_CELSIUS = 5
"""So near to the slowdown, one degree of warmer air or a longer batch costs speed."""
_PER_GPU = "cluster, host, gpu, uuid"
_NAME = "{{host}} GPU {{gpu}}"


def section() -> Section:
    """From dead to hot to busy."""
    return Section(
        "GPUs: is the hardware well?",
        (_health(), _margin(), _temperature(), _utilization(), _memory(), _power()),
    )


def _health() -> PanelBuilder:
    said = Said(
        "Health",
        f"Does each GPU answer its driver? The {BARS} worst of the last ten minutes. Red: lost or hung. No colour: "
        "its exporter does not report.",
        unit="none",
        nothing="No GPU reports: is an exporter running?",
        width=_THIRD,
    )
    shown = f"min by ({_PER_GPU}) ({{up}})"
    query = Query(worst("bottomk", BARS, shown, up=signals.GPU_UP.where(**ON_HOST)), _NAME)
    return states(said, query, {"1": ("answers", GOOD), "0": ("does not answer", BAD)})


def _margin() -> PanelBuilder:
    said = Said(
        "Degrees left before slowdown",
        "Is a GPU too hot? How far each is from the temperature at which its own hardware slows it down; the "
        f"{LINES} nearest. Red: slowed down. Orange: less than {_MARGIN_WARN_CELSIUS} degrees left.",
        unit="celsius",
        nothing="No GPU reports its margin",
        width=_THIRD,
    )
    bands = ((None, BAD), (MARGIN_CELSIUS, WARN), (_MARGIN_WARN_CELSIUS, PLAIN))
    shown = f"min by ({_PER_GPU}) ({{margin}})"
    expr = worst("bottomk", LINES, shown, margin=signals.GPU_TEMPERATURE_MARGIN.where(**ON_HOST))
    return lines(said, [Query(expr, _NAME)], thresholds=bands, limits=(None, None), in_view=MARGIN_CELSIUS)


def _temperature() -> PanelBuilder:
    return _highest(
        "Temperature",
        f"How hot are the GPUs? The {LINES} hottest. Too hot differs by card: see the degrees left.",
        "celsius",
        signals.GPU_TEMPERATURE,
    )


def _utilization() -> PanelBuilder:
    return _highest(
        "Utilisation",
        f"Do the GPUs work? Share of time in which a kernel ran; the {LINES} busiest. Not how much of the GPU it used, "
        "so 100 % is no overload. 0 under load: the engine is stuck.",
        "percentunit",
        signals.GPU_UTILIZATION,
        limit=1,
    )


def _memory() -> PanelBuilder:
    said = Said(
        "Memory in use",
        f"Is device memory running out? Share of it that processes hold; the {LINES} fullest. Engines that reserve "
        "their cache at start stay high for ever: a change is news, the height is not.",
        unit="percentunit",
        nothing="No GPU reports its memory",
        width=_THIRD,
    )
    shown = f"max by ({_PER_GPU}) ({{used}}) / max by ({_PER_GPU}) ({{total}})"
    used, total = (signal.where(**ON_HOST) for signal in (signals.GPU_MEMORY_USED, signals.GPU_MEMORY_TOTAL))
    return lines(said, [Query(worst("topk", LINES, shown, used=used, total=total), _NAME)], limits=(0, 1))


def _power() -> PanelBuilder:
    return _highest(
        "Power",
        f"What do the boards draw? The {LINES} highest. Falls without less load: the GPU is slowed down.",
        "watt",
        signals.GPU_POWER,
    )


def _highest(title: str, question: str, unit: str, signal: Signal, limit: float | None = None) -> PanelBuilder:
    """The highest readings of one kind."""
    said = Said(title, question, unit=unit, nothing="No GPU reports this", width=_THIRD)
    shown = f"max by ({_PER_GPU}) ({{reading}})"
    expr = worst("topk", LINES, shown, reading=signal.where(**ON_HOST))
    return lines(said, [Query(expr, _NAME)], limits=(0, limit))
