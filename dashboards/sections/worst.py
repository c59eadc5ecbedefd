"""The ten engines and the ten GPUs to look at first, each with the readings that say why."""

from alerts import signals
from dashboards.board import Section
from dashboards.panels import BAD, GOOD, PLAIN, WARN, Column, Said, painted, rows, worded
from dashboards.sdk import PanelBuilder
from dashboards.sections import gpu
from dashboards.variables import IN_SERVICE, ON_HOST

_MOST = 10
_HALF = 12
_COLDEST = -1000.0
"""Below every margin: a cell without one must not be painted."""
_PER_ENGINE = "cluster, service, host, instance"
_PER_GPU = "cluster, host, gpu, uuid"


def section() -> Section:
    """Which engine, which GPU; and the GPUs over time."""
    return Section(
        "What is broken?",
        (_engines(), _gpus(), gpu.there(ON_HOST), gpu.margin(ON_HOST), gpu.utilization(ON_HOST)),
    )


def _engines() -> PanelBuilder:
    said = Said(
        "Worst engines",
        f"Which engine is it? The {_MOST} that need a look first: down, then without progress, then those where most "
        "requests wait. Red: broken. A click on the service opens its board.",
        unit="none",
        nothing="No engine is configured",
        width=_HALF,
    )
    up, root, waiting, running, cache = (
        signal.where(**IN_SERVICE)
        for signal in (
            signals.ENGINE_UP,
            signals.ENGINE_ROOT,
            signals.WAITING,
            signals.RUNNING,
            signals.KV_CACHE_USAGE,
        )
    )
    by = f"by ({_PER_ENGINE})"
    broken = f"1 + 0 * max {by} ({root}) or 0 * min {by} ({up})"
    # Broken ones before all queues.
    first = f"topk({_MOST}, 1e6 * ({broken}) + (max {by} ({waiting}) or 0 * min {by} ({up})))"
    queries = [
        f"({broken}) and {first}",
        *(f"max {by} ({one}) and {first}" for one in (waiting, running, cache)),
    ]
    states = {"1": ("broken", BAD), "0": ("works", GOOD)}
    columns = (
        Column("service", "Service", (("links", [_to_service()]),)),
        Column("instance", "Engine", (("custom.width", 170),)),
        Column("host", "Host", (("custom.width", 120),)),
        Column("Value #A", "State", (*worded(states), ("custom.width", 90))),
        Column("Value #B", "Waiting", (("noValue", "-"), ("custom.width", 80))),
        Column("Value #C", "Running", (("noValue", "-"), ("custom.width", 80))),
        Column("Value #D", "KV cache", (("noValue", "-"), ("unit", "percentunit"), ("custom.width", 90))),
    )
    return rows(said, queries, columns, sort_by=["-State", "-Waiting"])


def _gpus() -> PanelBuilder:
    said = Said(
        "Worst GPUs",
        f"Which GPU is it? The {_MOST} that need a look first: those that do not answer, then those nearest to their "
        "slowdown. Red: lost, or too hot. A click on the host opens its board.",
        unit="none",
        nothing="No GPU reports: is an exporter running?",
        width=_HALF,
    )
    by = f"by ({_PER_GPU})"
    up, margin, busy, held = (
        signal.where(**ON_HOST)
        for signal in (
            signals.GPU_UP,
            signals.GPU_TEMPERATURE_MARGIN,
            signals.GPU_UTILIZATION,
            signals.GPU_THROTTLED.where(reason__re="hw_thermal|sw_thermal|hw_power_brake"),
        )
    )
    answers = f"min {by} ({up})"
    first = f"bottomk({_MOST}, 1e6 * {answers} + (min {by} ({margin}) or 0 * {answers}))"
    queries = [
        f"{answers} and {first}",
        f"min {by} ({margin}) and {first}",
        *(f"max {by} ({one}) and {first}" for one in (held, busy)),
    ]
    hot = painted(((None, PLAIN), (_COLDEST, BAD), (0.001, WARN), (5, PLAIN)))
    columns = (
        Column("host", "Host", (("links", [_to_host()]),)),
        Column("gpu", "GPU", (("custom.width", 60),)),
        Column("Value #A", "State", (*worded({"1": ("answers", GOOD), "0": ("lost", BAD)}), ("custom.width", 90))),
        Column("Value #B", "Left to slowdown", (*hot, ("unit", "celsius"), ("noValue", "-"))),
        Column("Value #C", "Held back", (("unit", "percentunit"), ("noValue", "-"), ("custom.width", 100))),
        Column("Value #D", "Utilisation", (("unit", "percentunit"), ("noValue", "-"), ("custom.width", 100))),
    )
    return rows(said, queries, columns, sort_by=["State", "Left to slowdown"])


def _to_service() -> dict[str, object]:
    url = "/d/service/service?var-service=${__value.raw}&var-instance=${__data.fields.Engine}&${__url_time_range}"
    return {"title": "Board of the service", "url": url}


def _to_host() -> dict[str, object]:
    url = "/d/gpu/gpu?var-host=${__value.raw}&var-gpu=${__data.fields.GPU}&${__url_time_range}"
    return {"title": "Board of the GPU", "url": url}
