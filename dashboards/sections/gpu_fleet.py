"""All GPUs as a whole: how many, which, how well used, and which of them wear out."""

from alerts import signals
from alerts.engines.own_gpu import EVENT_SECONDS
from dashboards.board import Section
from dashboards.limits import TIMING
from dashboards.panels import BAD, NEUTRAL, Column, Query, Said, above, big_number, lines, rows
from dashboards.queries import LINES
from dashboards.sdk import PanelBuilder
from dashboards.sections import gpu
from dashboards.variables import ON_HOST

_ROWS = 15
_THIRD = 8
_HALF = 12
_IDLE = 0.05
"""Share of time below which a GPU counts as idle: what drivers and monitors do by themselves."""
_PER_GPU = "cluster, host, gpu, uuid"


def stock() -> Section:
    """How many there are, and of which kind."""
    return Section("How many, and which?", (_answering(), _silent(), _idle(), _models()))


def spread() -> Section:
    """How they are used, from the least to the most."""
    return Section("How well are they used?", (_utilization(), _memory(), _power()))


def wear() -> Section:
    """Which need a look, and why."""
    return Section("What wears out?", (_due(), _errors(), gpu.margin(ON_HOST), _held_back(), _hottest()))


def _up() -> signals.Signal:
    return signals.GPU_UP.where(**ON_HOST)


def _answering() -> PanelBuilder:
    said = Said(
        "GPUs that answer",
        "How many are there? Those that answer their driver. Bad: fewer than were paid for.",
        "none",
        "No GPU reports",
        4,
    )
    return big_number(said, f"sum({_up()})", thresholds=NEUTRAL)


def _silent() -> PanelBuilder:
    said = Said(
        "GPUs that do not",
        "How many are lost? Those that do not answer, or were there in the last six hours and are gone. Red from 1.",
        "none",
        "No GPU reports",
        4,
    )
    seen = f"count(count by (cluster, uuid) ({signals.GPU_SEEN_AT.where(**ON_HOST)}))"
    return big_number(said, f"{seen} - sum({_up()})", thresholds=above(1, BAD))


def _idle() -> PanelBuilder:
    said = Said(
        "Idle GPUs",
        f"How many are paid for and do nothing? Busy for less than {_IDLE:.0%} of the time. Bad while services queue.",
        "none",
        "No GPU reports its utilisation",
        4,
    )
    busy = signals.GPU_UTILIZATION.where(**ON_HOST)
    return big_number(said, f"count({busy} < {_IDLE:g}) or 0 * count({busy})", thresholds=NEUTRAL)


def _models() -> PanelBuilder:
    said = Said(
        "Cards and drivers",
        f"Which cards run on which driver? The {_ROWS} most frequent. Bad: a few cards on a driver of their own.",
        unit="none",
        nothing="No GPU says what it is",
        width=_HALF,
    )
    by = "cluster, name, driver_version, vbios_version"
    columns = (
        Column("name", "Card"),
        Column("driver_version", "Driver"),
        Column("vbios_version", "VBIOS"),
        Column("cluster", "Cluster"),
        Column("Value", "GPUs", (("custom.width", 70),)),
    )
    expr = f"topk({_ROWS}, count by ({by}) ({signals.GPU_INFO.where(**ON_HOST)}))"
    return rows(said, [expr], columns, sort_by=["-GPUs"])


def _utilization() -> PanelBuilder:
    reading = str(signals.GPU_UTILIZATION.where(**ON_HOST))
    question = "Is the fleet used? The busiest tenth, the middle and the idlest tenth. Bad: far apart."
    return _shares("Utilisation of the fleet", question, reading)


def _memory() -> PanelBuilder:
    used, total = (signal.where(**ON_HOST) for signal in (signals.GPU_MEMORY_USED, signals.GPU_MEMORY_TOTAL))
    question = "Is there room for another model? The fullest tenth, the middle and the emptiest. Bad: all full."
    # Both are of one exporter, so their labels agree; putting thousands of series together by label would take longer.
    return _shares("Memory of the fleet", question, f"{used} / {total}")


def _shares(title: str, question: str, reading: str) -> PanelBuilder:
    said = Said(title, question, unit="percentunit", nothing="No GPU reports this", width=_THIRD)
    parts = ((0.9, "highest tenth"), (0.5, "middle"), (0.1, "lowest tenth"))
    return lines(said, [Query(f"quantile({share}, {reading})", name) for share, name in parts], limits=(0, 1))


def _power() -> PanelBuilder:
    said = Said(
        "Power of the fleet",
        f"What does it draw? All boards of a cluster together; the {LINES} largest. A fall without less load is bad.",
        unit="watt",
        nothing="No GPU reports its power",
        width=_THIRD,
    )
    power = f"topk({LINES}, sum by (cluster) ({signals.GPU_POWER.where(**ON_HOST)}))"
    return lines(said, [Query(power, "{{cluster}}")])


def _due() -> PanelBuilder:
    said = Said(
        "Cards to repair or replace",
        f"Which cards need a reset, a restart or a replacement? At most {_ROWS}. Bad: any row; it is work for "
        "office hours.",
        unit="none",
        nothing="No card asks for anything",
        width=_HALF,
    )
    kinds = (
        ("asks for a reset or restart", signals.GPU_RECOVERY_ACTION),
        ("memory cannot be repaired: replace", signals.GPU_ROW_REMAP_FAILED),
        ("waits for a reset to repair memory", signals.GPU_RETIREMENT_PENDING),
        ("on-chip memory worn: replace", signals.GPU_SRAM_THRESHOLD_EXCEEDED),
    )
    found = "\nor ".join(
        f'label_replace(max by ({_PER_GPU}) ({signal.where(**ON_HOST)}) > 0, "what", "{what}", "", "")'
        for what, signal in kinds
    )
    columns = (
        Column("host", "Host"),
        Column("gpu", "GPU", (("custom.width", 60),)),
        Column("what", "What is due"),
        Column("uuid", "UUID"),
    )
    return rows(said, [f"topk({_ROWS}, {found})"], columns, sort_by=["Host"])


def _errors() -> PanelBuilder:
    span = TIMING.window(EVENT_SECONDS)
    said = Said(
        "GPUs with errors of the driver, by XID",
        f"Is an error spreading? GPUs on which each XID was seen in the last {span / 60:g} minutes; the {LINES} most "
        "frequent. Bad: many at once, by a driver, a job or a power feed that they share.",
        unit="none",
        nothing="No GPU reported an error",
        width=_HALF,
        decimals=0,
    )
    seen = f"count by (xid) ({signals.GPU_XID_AGE.where(**ON_HOST)} < {span:g})"
    return lines(said, [Query(f"topk({LINES}, {seen})", "XID {{xid}}")])


def _held_back() -> PanelBuilder:
    said = Said(
        "GPUs that are held back, by reason",
        f"What slows the fleet down? GPUs whose clocks were held down for a tenth of the time; the {LINES} reasons "
        "with most. Bad: heat and power brakes. Idle GPUs are not in it; a power limit may be meant.",
        unit="none",
        nothing="Nothing holds a GPU back",
        width=_THIRD,
        decimals=0,
    )
    share = signals.GPU_THROTTLED.where(**ON_HOST, reason__ne="gpu_idle")
    return lines(said, [Query(f"topk({LINES}, count by (reason) ({share} > 0.1))", "{{reason}}")])


def _hottest() -> PanelBuilder:
    said = Said(
        "Hottest hosts",
        f"Is it a card or a room? Mean temperature of each host's GPUs; the {LINES} hottest. Bad: several "
        "rise together, the air.",
        unit="celsius",
        nothing="No GPU reports its temperature",
        width=_THIRD,
    )
    mean = f"avg by (cluster, host) ({signals.GPU_TEMPERATURE.where(**ON_HOST)})"
    at_end = f"avg by (cluster, host) ({signals.GPU_TEMPERATURE.where(**ON_HOST)} @ end())"
    return lines(said, [Query(f"{mean}\nand topk({LINES}, {at_end})", "{{host}}")])
