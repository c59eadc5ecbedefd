"""One GPU, or those of a host: is it there, is it hot, is it broken, is it held back, who uses it?"""

from collections.abc import Mapping
from typing import Literal

from alerts import signals
from alerts.engines.own_gpu import EVENT_SECONDS
from alerts.rules import gpu, gpu_limits, gpu_wear
from alerts.signals import Signal
from dashboards.board import Section
from dashboards.limits import TIMING, limit
from dashboards.panels import (
    BAD,
    GOOD,
    PLAIN,
    WARN,
    Column,
    Query,
    Said,
    Thresholds,
    above,
    below,
    lines,
    rows,
    states,
    worded,
)
from dashboards.queries import BARS, LINES, RECENT, worst
from dashboards.sdk import PanelBuilder
from dashboards.variables import ON_GPU, ON_HOST
from exporters.catalogue.xid import FATAL

_THIRD = 8
_QUARTER = 6
_ROWS = 15
_FEW = 5
"""Lines where each has a long name."""
_MARGIN_WARN_CELSIUS = 5
"""So near to the slowdown, one degree of warmer air or a longer batch costs speed."""
_PER_GPU = "cluster, host, gpu, uuid"
_NAME = "{{host}} GPU {{gpu}}"
_EVENT = TIMING.window(EVENT_SECONDS)


def health() -> Section:
    """What ends the work of a GPU."""
    return Section(
        "GPUs: is the hardware well?",
        (there(ON_GPU), _xids(), _uncorrected(), margin(ON_GPU), _held_back(), _repairs()),
    )


def use() -> Section:
    """What a GPU does, and for whom."""
    return Section(
        "What does it do, and for whom?",
        (utilization(ON_GPU), _temperature(), _power(), _memory(), _programs(), _orphaned(), _engines()),
    )


def connections() -> Section:
    """What a GPU is connected by."""
    return Section("Are its links well?", (_nvlinks_down(), _nvlink_errors(), _pcie_lanes(), _pcie_replays()))


def there(on: Mapping[str, str]) -> PanelBuilder:
    """Whether each GPU answers."""
    said = Said(
        "GPUs",
        f"Does each GPU answer its driver? The {BARS} worst of the last ten minutes. Red: fallen off the bus, lost, "
        "hung, or gone from its host. No colour: its exporter does not report.",
        unit="none",
        nothing="No GPU reports: is an exporter running?",
        width=_THIRD,
    )
    shown = f"min by ({_PER_GPU}) ({{state}})"
    expr = worst("bottomk", BARS, shown, each=_PER_GPU, state=signals.GPU_STATE.where(**on))
    words = {
        "0": ("fallen off the bus", BAD),
        "1": ("does not answer", BAD),
        "2": ("gone", BAD),
        "3": ("answers", GOOD),
    }
    return states(said, Query(expr, _NAME), words)


def _xids() -> PanelBuilder:
    said = Said(
        "Errors of the driver (XID)",
        f"What did the driver report, and when? Each error is shown for {_EVENT / 60:g} minutes. Red: the GPU is dead "
        "or computes wrong until it is reset. Orange: the hardware took it and went on, look soon. Yellow: a program's "
        f"fault. The {BARS} latest; the runbooks list what each number means.",
        unit="none",
        nothing="No error was reported in this time",
        width=_THIRD,
    )
    age, by = signals.GPU_XID_AGE, f"{_PER_GPU}, xid"
    fatal, program, rest = (
        _codes(codes) for codes in (FATAL, gpu_wear.APPLICATION, (*FATAL, *gpu_wear.APPLICATION, *gpu_wear.INFORMATION))
    )
    kinds = (
        (3, age.where(**ON_GPU, xid__re=fatal)),
        (2, age.where(**ON_GPU, xid__nre=rest)),
        (1, age.where(**ON_GPU, xid__re=program)),
    )
    shown = "\nor ".join(f"{value} + 0 * (max by ({by}) ({one}) < {_EVENT:g})" for value, one in kinds)
    chosen = age.where(**ON_GPU)
    # The end itself, too: an error of the last seconds is at no whole minute yet.
    before = f"min by ({by}) (min_over_time({chosen.over('$__range:1m')} @ end()))"
    latest = f"{before} < {_EVENT:g} or min by ({by}) ({chosen} @ end()) < {_EVENT:g}"
    words = {"3": ("fatal", BAD), "2": ("contained", WARN), "1": ("a program's fault", "yellow")}
    expr = f"({shown})\nand bottomk({BARS}, {latest})"
    return states(said, Query(expr, f"{_NAME} XID {{{{xid}}}}"), words)


def _codes(codes: tuple[int, ...]) -> str:
    return "|".join(map(str, sorted(codes)))


def _uncorrected() -> PanelBuilder:
    errors = limit("GpuEccUncorrectable", gpu.ECC_ERRORS)
    return _judged(
        "Memory errors that ECC could not correct",
        f"Was data lost? Errors of the last ten minutes. Red from {errors + 1:g}: the engine crashes or gives wrong "
        "answers.",
        "none",
        signals.GPU_ECC_UNCORRECTED,
        above(errors + 1, BAD),
        width=_THIRD,
        decimals=0,
    )


def margin(on: Mapping[str, str]) -> PanelBuilder:
    """How far each GPU is from its slowdown."""
    said = Said(
        "Degrees left before slowdown",
        "Is a GPU too hot? How far each is from the temperature at which its own hardware slows it down; the "
        f"{LINES} nearest. Red: slowed down. Orange: less than {_MARGIN_WARN_CELSIUS} degrees left.",
        unit="celsius",
        nothing="No GPU reports its margin",
        width=_THIRD,
    )
    least = limit("GpuOverheating", gpu.MARGIN_CELSIUS)
    bands = ((None, BAD), (least, WARN), (max(_MARGIN_WARN_CELSIUS, least + 1), PLAIN))
    expr = _extreme("bottomk", signals.GPU_TEMPERATURE_MARGIN, on)
    return lines(said, [Query(expr, _NAME)], thresholds=bands, limits=(None, None), in_view=(least,))


def _held_back() -> PanelBuilder:
    share = min(limit("GpuThermalThrottle", gpu_limits.THERMAL_SHARE), limit("GpuPowerBrake", gpu_limits.BRAKE_SHARE))
    said = Said(
        "Held back",
        "Is a GPU slower than it could be, and why? Share of the last two minutes in which heat or the power brake "
        f"held its clocks down; the {_FEW} highest. Orange from {share:.0%}: tokens come later.",
        unit="percentunit",
        nothing="Neither heat nor the power brake holds a GPU back",
        width=_THIRD,
    )
    reasons = signals.GPU_THROTTLED.where(**ON_GPU, reason__re=f"{gpu_limits.HEAT}|{gpu_limits.BRAKE}")
    # Above 0 first: of thousands of series, hardly any are left to be sorted.
    expr = worst("topk", _FEW, f"max by ({_PER_GPU}, reason) ({{share}} > 0)", share=reasons)
    return lines(said, [Query(expr, f"{_NAME} {{{{reason}}}}")], thresholds=above(share))


def _repairs() -> PanelBuilder:
    said = Said(
        "Repairs that are due",
        f"Does a GPU wear out? What the driver asks for, by GPU, at most {BARS}. Orange: plan a reset or a new card; "
        "nobody is hurt yet.",
        unit="none",
        nothing="No GPU asks for a repair",
        width=_THIRD,
    )
    kinds = {
        "action": ("a reset or restart", signals.GPU_RECOVERY_ACTION),
        "failed": ("a new card: memory cannot be repaired", signals.GPU_ROW_REMAP_FAILED),
        "pending": ("a reset, to repair memory", signals.GPU_RETIREMENT_PENDING),
        "sram": ("a new card: on-chip memory", signals.GPU_SRAM_THRESHOLD_EXCEEDED),
    }
    shown = " or ".join(
        f'label_replace(1 + 0 * max by ({_PER_GPU}) ({{{key}}} > 0), "what", "{what}", "", "")'
        for key, (what, _) in kinds.items()
    )
    asked = {key: signal.where(**ON_GPU) for key, (_, signal) in kinds.items()}
    expr = worst("topk", BARS, f"({shown})", "", back=RECENT, each="", **asked)
    return states(said, Query(expr, f"{_NAME}: {{{{what}}}}"), {"1": ("due", WARN)})


def utilization(on: Mapping[str, str]) -> PanelBuilder:
    """How busy GPUs are."""
    return _highest(
        "Utilisation",
        f"Do the GPUs work? Share of time in which a kernel ran; the {LINES} busiest. Not how much of the GPU it used, "
        "so 100 % is no overload. 0 under load: the engine is stuck.",
        "percentunit",
        signals.GPU_UTILIZATION,
        most=1,
        on=on,
    )


def _temperature() -> PanelBuilder:
    return _highest(
        "Temperature",
        f"How hot are the GPUs? The {LINES} hottest. Too hot differs by card: see the degrees left.",
        "celsius",
        signals.GPU_TEMPERATURE,
    )


def _power() -> PanelBuilder:
    return _highest(
        "Power",
        f"What do the boards draw? The {LINES} highest. Falls without less load: the GPU is slowed down.",
        "watt",
        signals.GPU_POWER,
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
    used, total = (signal.where(**ON_GPU) for signal in (signals.GPU_MEMORY_USED, signals.GPU_MEMORY_TOTAL))
    expr = worst("topk", LINES, shown, each=_PER_GPU, used=used, total=total)
    return lines(said, [Query(expr, _NAME)], limits=(0, 1))


def _programs() -> PanelBuilder:
    said = Said(
        "Memory by program",
        f"Who holds the memory? By program and GPU; the {LINES} largest. Bad: a program that should not be there, or "
        "an engine's memory that stays after its end.",
        unit="bytes",
        nothing="No program holds memory, or none can be seen",
        width=_THIRD,
    )
    by = f"{_PER_GPU}, program"
    expr = worst("topk", LINES, f"max by ({by}) ({{held}})", each=by, held=signals.GPU_PROGRAM_MEMORY.where(**ON_GPU))
    return lines(said, [Query(expr, f"{_NAME} {{{{program}}}}")])


def _orphaned() -> PanelBuilder:
    size = limit("GpuMemoryOrphaned", gpu_limits.ORPHANED_BYTES)
    return _judged(
        "Memory that no process holds",
        f"Is memory lost until a reset? In use, but no live process holds it. Orange from {size / 2**30:g} GiB: an "
        "engine that restarts may not fit.",
        "bytes",
        signals.GPU_MEMORY_ORPHANED,
        above(size),
        width=_THIRD,
    )


def _engines() -> PanelBuilder:
    said = Said(
        "Engines on the host",
        f"Whose requests does this GPU compute? Engines on the chosen hosts, at most {_ROWS}, broken ones first: down, "
        "without progress, or on a broken GPU. Bad, too: one that runs requests while its GPU is idle. Where engines "
        "say which GPU they use, it stands here.",
        unit="none",
        nothing="No engine on this host",
        width=24,
        height=6,
    )
    by = "cluster, service, host, instance"
    up, root, running, waiting, uses = (
        signal.where(**ON_HOST)
        for signal in (signals.ENGINE_UP, signals.ENGINE_ROOT, signals.RUNNING, signals.WAITING, signals.ENGINE_GPU)
    )
    broken = f"(1 + 0 * max by ({by}) ({root}) or 0 * min by ({by}) ({up}))"
    first = f"topk({_ROWS}, {broken})"
    # An engine that names several GPUs has a row for each.
    unnamed = f'label_replace(min by ({by}) ({up}) * 0 + 1, "uuid", "not stated", "", "")'
    named = f"max by ({by}, uuid) ({uses}) or on ({by}) {unnamed}"
    per_engine = (broken, *(f"max by ({by}) ({signal})" for signal in (running, waiting)))
    queries = [
        f"topk({_ROWS}, ({named}) and on ({by}) {first})",
        *(f"{one} and {first}" for one in per_engine),
    ]
    columns = (
        Column("service", "Service"),
        Column("instance", "Engine"),
        Column("host", "Host"),
        Column("uuid", "GPU", (("custom.width", 350),)),
        Column("Value #B", "State", (*worded({"1": ("broken", BAD), "0": ("works", GOOD)}), ("custom.width", 100))),
        Column("Value #C", "Running", (("noValue", "-"), ("custom.width", 100))),
        Column("Value #D", "Waiting", (("noValue", "-"), ("custom.width", 100))),
    )
    return rows(said, queries, columns, sort_by=["-State"])


def _nvlinks_down() -> PanelBuilder:
    said = Said(
        "NVLinks down",
        f"Did a link fail? Links that were active and are not; the {LINES} with most. Orange from 1: engines that span "
        "GPUs get slow, or stop.",
        unit="none",
        nothing="No GPU has NVLinks",
        width=_QUARTER,
        decimals=0,
    )
    shown = f"max by ({_PER_GPU}) ({{expected}}) - min by ({_PER_GPU}) ({{up}})"
    expr = worst(
        "topk",
        LINES,
        shown,
        each=_PER_GPU,
        expected=signals.GPU_NVLINKS_EXPECTED.where(**ON_GPU),
        up=signals.GPU_NVLINKS_UP.where(**ON_GPU),
    )
    return lines(said, [Query(expr, _NAME)], thresholds=above(1))


def _nvlink_errors() -> PanelBuilder:
    rate = limit("GpuNvlinkErrors", gpu_limits.LINK_ERRORS_PER_SECOND)
    return _judged(
        "NVLink errors",
        f"Does a link wear out? Errors a second that were repaired. Orange from {rate:g} a second.",
        "cps",
        signals.GPU_NVLINK_ERRORS,
        above(rate),
    )


def _pcie_lanes() -> PanelBuilder:
    share = limit("GpuPcieDegraded", 1)
    said = Said(
        "PCIe lanes",
        f"Is the slot's link whole? Share of the lanes that are in use; the {LINES} lowest. Orange below {share:.0%}: "
        "a seating or riser fault.",
        unit="percentunit",
        nothing="No GPU reports its lanes",
        width=_QUARTER,
    )
    expr = _extreme("bottomk", signals.GPU_PCIE_LANES)
    return lines(said, [Query(expr, _NAME)], thresholds=below(share), limits=(0, 1), bands=False)


def _pcie_replays() -> PanelBuilder:
    rate = limit("GpuPcieReplays", gpu_limits.REPLAYS_PER_SECOND)
    return _judged(
        "PCIe packets sent again",
        f"Is the slot's link clean? Packets a second that were sent again. Orange from {rate:g} a second: it ends as a "
        "GPU fallen off the bus.",
        "cps",
        signals.GPU_PCIE_REPLAYS,
        above(rate),
    )


def _judged(  # noqa: PLR0913 - what a panel says and where it turns bad
    title: str,
    question: str,
    unit: str,
    signal: Signal,
    thresholds: Thresholds,
    *,
    width: int = _QUARTER,
    decimals: int | None = None,
) -> PanelBuilder:
    """The highest readings, against a line."""
    question = f"{question} The {LINES} highest."
    said = Said(title, question, unit=unit, nothing="No GPU reports this", width=width, decimals=decimals)
    query = Query(_extreme("topk", signal), _NAME)
    return lines(said, [query], thresholds=thresholds)


def _highest(  # noqa: PLR0913 - what a panel says
    title: str, question: str, unit: str, signal: Signal, *, most: float | None = None, on: Mapping[str, str] = ON_GPU
) -> PanelBuilder:
    """The highest readings, whatever they are."""
    said = Said(title, question, unit=unit, nothing="No GPU reports this", width=_THIRD)
    return lines(said, [Query(_extreme("topk", signal, on), _NAME)], limits=(0, most))


def _extreme(rank: Literal["topk", "bottomk"], signal: Signal, on: Mapping[str, str] = ON_GPU) -> str:
    aggregate = "max" if rank == "topk" else "min"
    shown = f"{aggregate} by ({_PER_GPU}) ({{reading}})"
    return worst(rank, LINES, shown, each=_PER_GPU, reading=signal.where(**on))
