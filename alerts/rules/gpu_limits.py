"""Tickets for GPUs that are held back: by heat, by power, by their links, or by memory that nobody owns."""

from typing import Unpack

from alerts import signals
from alerts.engines import of_gpus
from alerts.objectives import Objectives
from alerts.rule import Alert, Group, Mute, Words
from alerts.rules.gpu import BOARD, WHICH, last
from alerts.timing import Timing
from exporters.catalogue.labels import CLUSTER, INSTANCE

SIGNALS = (
    signals.GPU_THROTTLED,
    signals.GPU_MEMORY_ORPHANED,
    signals.GPU_NVLINKS_UP,
    signals.GPU_NVLINKS_EXPECTED,
    signals.GPU_NVLINK_ERRORS,
    signals.GPU_PCIE_LANES,
    signals.GPU_PCIE_REPLAYS,
)
"""What these alerts read, recorded with them."""

THERMAL_SHARE = 0.1
"""A tenth of the time: hotter than designed. gpud counts 0.6 slowdowns a minute over ten minutes as unhealthy."""
HEAT, BRAKE = "hw_thermal|sw_thermal", "hw_power_brake"
"""Reasons for which a GPU's clocks are held down."""
BRAKE_SHARE = 0.1
"""The power brake is pulled from outside (supply, rack); any lasting share of it is a fault of the house."""
ORPHANED_BYTES = 2 * 2**30
"""Above what the driver itself holds (some hundred MiB); a crashed engine leaves tens of GiB."""
LINK_ERRORS_PER_SECOND = 0.1
"""One error in ten seconds, for minutes: NVLink repairs single errors by itself."""
REPLAYS_PER_SECOND = 1.0
"""One packet a second sent again, for minutes: a seating, riser or retimer fault; single ones are normal."""

_SLOWED = (Mute("EngineThroughputDrop", (CLUSTER, INSTANCE), by_engine=True),)


def group(timing: Timing, objectives: Objectives) -> Group:
    """The tickets' signals, then the tickets."""
    return Group(
        "gpu_limits",
        of_gpus(timing, SIGNALS),
        (
            _thermal(timing, objectives),
            _brake(timing, objectives),
            _orphaned(timing, objectives),
            _nvlink_down(timing),
            _nvlink_errors(timing, objectives),
            _pcie_lanes(timing, objectives),
            _pcie_replays(timing, objectives),
        ),
    )


def _ticket(  # noqa: PLR0913 - the parts of an Alert that differ
    timing: Timing,
    name: str,
    expr: str,
    *,
    pending: float,
    window: float = 0,
    mutes: tuple[Mute, ...] = (),
    **words: Unpack[Words],
) -> Alert:
    return Alert(
        name=name,
        expr=expr,
        severity="ticket",
        cls="root",
        component="gpu",
        board=BOARD,
        pending=pending,
        keep_firing=120,
        delay=timing.gpu_collection_interval,
        window=window,
        mutes=mutes,
        **words,
    )


def _thermal(timing: Timing, objectives: Objectives) -> Alert:
    share = objectives.threshold("GpuThermalThrottle", THERMAL_SHARE)
    throttled = signals.GPU_THROTTLED.where(reason__re=HEAT)
    return _ticket(
        timing,
        "GpuThermalThrottle",
        f"max without (reason) ({throttled}) > {share:g}",
        pending=60,
        window=timing.window(120),
        mutes=_SLOWED,
        summary="GPU throttled by heat: " + WHICH,
        impact="Tokens from this GPU come later than they could.",
        action="Compare its temperature with its neighbours' on the board: one hot card, or a hot host?",
        description="Heat held down the clocks of GPU {{ $labels.gpu }} ({{ $labels.uuid }}) for part of the time.",
        value="{{ $value | humanizePercentage }} of the last two minutes",
        threshold=f"at most {share:.0%}",
    )


def _brake(timing: Timing, objectives: Objectives) -> Alert:
    share = objectives.threshold("GpuPowerBrake", BRAKE_SHARE)
    throttled = signals.GPU_THROTTLED.where(reason=BRAKE)
    return _ticket(
        timing,
        "GpuPowerBrake",
        f"max without (reason) ({throttled}) > {share:g}",
        pending=180,
        window=timing.window(120),
        mutes=_SLOWED,
        summary="GPU's power is cut from outside: " + WHICH,
        impact="Tokens from this GPU come at half speed or less.",
        action="Ask the data centre about the power supply of {{ $labels.host }}: a supply that failed, or a rack cap.",
        description="The board's power brake held down the clocks of GPU {{ $labels.gpu }} ({{ $labels.uuid }}).",
        value="{{ $value | humanizePercentage }} of the last two minutes",
        threshold=f"at most {share:.0%}",
    )


def _orphaned(timing: Timing, objectives: Objectives) -> Alert:
    size = objectives.threshold("GpuMemoryOrphaned", ORPHANED_BYTES)
    return _ticket(
        timing,
        "GpuMemoryOrphaned",
        f"{last(timing, signals.GPU_MEMORY_ORPHANED)} > {size:.0f}",
        pending=60,
        summary="GPU memory held by no process: " + WHICH,
        impact="An engine that restarts on this GPU may not fit into what is left.",
        action="On {{ $labels.host }}, look for a half-dead process: fuser -v /dev/nvidia*; end it.",
        description="Memory of GPU {{ $labels.gpu }} ({{ $labels.uuid }}) is in use, but no live process holds it.",
        value="{{ $value | humanize1024 }}B",
        threshold=f"at most {size / 2**30:g} GiB",
    )


def _nvlink_down(timing: Timing) -> Alert:
    expected, up = last(timing, signals.GPU_NVLINKS_EXPECTED), last(timing, signals.GPU_NVLINKS_UP)
    return _ticket(
        timing,
        "GpuNvlinkDown",
        f"{expected} - {up} > 0",
        pending=30,
        summary="NVLink down: " + WHICH,
        impact="Engines that span several GPUs with this one get slow, or stop at the next collective operation.",
        action="On {{ $labels.host }}, run nvidia-smi nvlink -s -i {{ $labels.gpu }}; drain the host if it stays.",
        description="NVLinks of GPU {{ $labels.gpu }} ({{ $labels.uuid }}) that were active are not any more.",
        value="{{ $value }} down",
        threshold="none",
    )


def _nvlink_errors(timing: Timing, objectives: Objectives) -> Alert:
    rate = objectives.threshold("GpuNvlinkErrors", LINK_ERRORS_PER_SECOND)
    return _ticket(
        timing,
        "GpuNvlinkErrors",
        f"{last(timing, signals.GPU_NVLINK_ERRORS)} > {rate:g}",
        pending=120,
        window=timing.window(300),
        summary="NVLink errors: " + WHICH,
        impact="Nobody yet; links that repair so much lose bandwidth, then fail.",
        action="On {{ $labels.host }}, run nvidia-smi nvlink --errorcounters -i {{ $labels.gpu }}: which link is it?",
        description="NVLinks of GPU {{ $labels.gpu }} ({{ $labels.uuid }}) keep repairing errors.",
        value="{{ $value | humanize }} errors/s",
        threshold=f"at most {rate:g} errors/s",
    )


def _pcie_lanes(timing: Timing, objectives: Objectives) -> Alert:
    share = objectives.threshold("GpuPcieDegraded", 1)
    return _ticket(
        timing,
        "GpuPcieDegraded",
        f"{last(timing, signals.GPU_PCIE_LANES)} < {share:g}",
        pending=300,
        summary="PCIe link narrowed: " + WHICH,
        impact="Loading models and moving KV cache over PCIe takes longer.",
        action="Plan to reseat the card or its riser; until then keep large transfers off this GPU.",
        # Lanes, not the generation: an idle card lowers its generation to save power, never its lanes.
        description="GPU {{ $labels.gpu }} ({{ $labels.uuid }}) uses fewer PCIe lanes than it could in its slot.",
        value="{{ $value | humanizePercentage }} of its lanes",
        threshold=f"{share:.0%}",
    )


def _pcie_replays(timing: Timing, objectives: Objectives) -> Alert:
    rate = objectives.threshold("GpuPcieReplays", REPLAYS_PER_SECOND)
    return _ticket(
        timing,
        "GpuPcieReplays",
        f"{last(timing, signals.GPU_PCIE_REPLAYS)} > {rate:g}",
        pending=300,
        window=timing.window(300),
        summary="PCIe link resends packets: " + WHICH,
        impact="Nobody yet; a link that gets worse ends as a GPU fallen off the bus.",
        action="Plan to reseat the card or its riser.",
        description="The PCIe link of GPU {{ $labels.gpu }} ({{ $labels.uuid }}) keeps sending packets again.",
        value="{{ $value | humanize }} packets/s",
        threshold=f"at most {rate:g} packets/s",
    )
