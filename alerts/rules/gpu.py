"""Roots: the ways in which a GPU fails its users, in the order in which one explains the other.

Fallen off the bus > missing > fatal XID > uncorrectable memory error > overheating; each mutes those below it on the
same GPU, the tickets that it explains and, where it is known whose GPU it is, the alerts of its engines.
"""

from collections.abc import Iterable

from alerts import boards, signals
from alerts.engines import of_gpus
from alerts.engines.own_gpu import EVENT_SECONDS
from alerts.objectives import Objectives
from alerts.rule import Alert, Group, Mute
from alerts.rules import engine
from alerts.timing import Timing, duration
from exporters.catalogue.labels import CLUSTER, HOST, INSTANCE, SERVICE, UUID
from exporters.catalogue.xid import BY_CODE, FATAL

SIGNALS = (
    signals.GPU_UP,
    signals.GPU_SEEN_AT,
    signals.GPU_DRIVER_UP,
    signals.GPU_LAST_ERROR,
    signals.GPU_READING_AGE,
    signals.GPU_XID_AGE,
    signals.GPU_ECC_UNCORRECTED,
    signals.GPU_TEMPERATURE_MARGIN,
    signals.GPU_HEAT_SLOWDOWN,
)
"""What the roots read, recorded with them."""

BOARD = boards.OF_GPU
WHICH = "{{ with $labels.gpu }}GPU {{ . }}{{ else }}an unknown GPU{{ end }} on {{ $labels.host }}"
"""For titles. A GPU is unknown that reported an XID, but has not answered since the exporter started."""
WHO = "{{ with $labels.gpu }}GPU {{ . }}{{ else }}an unknown GPU{{ end }}{{ with $labels.uuid }} ({{ . }}){{ end }}"
"""For sentences. A GPU that is known by its place alone has no uuid."""

FALLEN = 79
"""NVIDIA's XID for a GPU that has fallen off the bus."""
LOST = 15
"""NVML_ERROR_GPU_IS_LOST: the driver has given the GPU up."""
MARGIN_CELSIUS = 0
"""NVIDIA defines the margin as the distance to the hardware slowdown, so at 0 the GPU slows itself down."""
ECC_ERRORS = 0
"""Each error that ECC could not correct lost data; how many there were says nothing about how bad it was."""
CALL_TIMEOUT_SECONDS = 2
"""What the exporter grants one GPU (--call-timeout) before it calls it hung, on any clock."""
SERVICEABLE_XIDS = tuple(code for code in FATAL if code != FALLEN)
"""Fatal, but not the end of the GPU's place on the bus."""

_ORDER = ("GpuFallenOffBus", "GpuMissing", "GpuXidFatal", "GpuEccUncorrectable", "GpuOverheating")
_XID_TICKETS = ("GpuXidContained", "GpuXidApplication")
_STATE_TICKETS = ("GpuRecoveryNeeded", "GpuThermalThrottle", "GpuMemoryOrphaned", "GpuNvlinkDown")
_EXPLAINED = {
    "GpuFallenOffBus": (*_XID_TICKETS, *_STATE_TICKETS),
    "GpuMissing": (*_XID_TICKETS, *_STATE_TICKETS),
    "GpuXidFatal": (*_XID_TICKETS, *_STATE_TICKETS),
    "GpuEccUncorrectable": (*_XID_TICKETS, "GpuRecoveryNeeded", "GpuMemoryOrphaned"),
    "GpuOverheating": ("GpuThermalThrottle",),
}
"""Tickets that a failed GPU raises by itself. What wears out slowly keeps its ticket: failed and pending row
remappings, worn on-chip memory, links that repair errors. Heat explains nothing but throttling."""
_OF_ENGINES = (
    *(Mute(alert, (CLUSTER, INSTANCE), by_engine=True) for alert in ("EngineDown", "EngineHung")),
    *(Mute(ticket, (CLUSTER, INSTANCE), by_engine=True, slow=True) for ticket in engine.OWN_TICKETS),
    *(Mute(symptom, (CLUSTER, SERVICE), by_engine=True) for symptom in engine.SYMPTOMS),
)
"""What a failed GPU does to the engines on it, and to users of a service that cannot spare them."""
_WRONG = Mute("EngineAnswersWrong", (CLUSTER, SERVICE), by_engine=True)
"""What a GPU that goes on computing with broken memory does besides."""
_QUICK = ("GpuMissing", "GpuOverheating")
"""Of all that is muted, what clears with the next good reading: a GPU that overheats soon after another trouble of its
is over must page at once."""


def group(timing: Timing, objectives: Objectives) -> Group:
    """The roots' signals, then the roots."""
    lost = (_fallen(timing), _missing(timing), _xid(timing))
    roots = (*lost, _ecc(timing, objectives), _overheating(timing, objectives))
    return Group("gpu", of_gpus(timing, SIGNALS), roots)


def xid_words(codes: Iterable[int]) -> str:
    """The meaning of the alert's `xid`, as a Prometheus template that knows these codes."""
    cases = [f'{{{{ else if eq $labels.xid "{code}" }}}}{BY_CODE[code].meaning}' for code in codes]
    return "".join(cases).replace("{{ else if", "{{ if", 1) + "{{ else }}not in NVIDIA's catalogue{{ end }}"


def _mutes(root: str) -> tuple[Mute, ...]:
    below = (*_ORDER[_ORDER.index(root) + 1 :], *_EXPLAINED[root])
    same_gpu = tuple(Mute(alert, (CLUSTER, HOST, UUID), together=True, slow=alert not in _QUICK) for alert in below)
    wrong = (_WRONG,) if root in ("GpuXidFatal", "GpuEccUncorrectable") else ()
    return same_gpu + _OF_ENGINES + wrong


def recent(xids: signals.Signal, timing: Timing) -> str:
    """XIDs that were seen lately."""
    return f"{xids} < {timing.window(EVENT_SECONDS):g}"


def last(timing: Timing, signal: signals.Signal) -> str:
    """The newest value of a signal; one missed scrape must not reset `for`."""
    return f"last_over_time({signal.over(duration(timing.window(15)))})"


def _fallen(timing: Timing) -> Alert:
    fallen = f"max without (xid) ({signals.GPU_XID_AGE.where(xid=str(FALLEN))})"
    error = last(timing, signals.GPU_LAST_ERROR)
    # However old the XID, a GPU that has not come back since (answers for some seconds more count as none) is no new
    # incident as GpuMissing.
    back = f"{fallen} - {signals.GPU_READING_AGE} > {timing.window(60):g}"
    return Alert(
        name="GpuFallenOffBus",
        expr=f"{fallen} < {timing.window(EVENT_SECONDS):g}\nor\n{fallen} and {error} unless {back}\nor\n"
        f"{error} == {LOST}",
        severity="page",
        cls="root",
        component="gpu",
        summary="GPU fallen off the bus: " + WHICH,
        impact="Every engine on this GPU is dead or about to die; the GPU is gone until the host is restarted.",
        action="Move its work elsewhere, then drain {{ $labels.host }} and restart it.",
        description=f"The driver lost contact with {WHO}: XID {FALLEN}, or NVML says that the GPU is lost.",
        board=BOARD,
        keep_firing=60,
        hard=True,
        delay=timing.gpu_collection_interval,
        memory=timing.window(EVENT_SECONDS),
        mutes=_mutes("GpuFallenOffBus"),
        breaks_replica=True,
    )


def _missing(timing: Timing) -> Alert:
    up, driver = last(timing, signals.GPU_UP), last(timing, signals.GPU_DRIVER_UP)
    # An exporter that was started again knows only the GPUs that it finds; Prometheus knows those that were there.
    vanished = f"{signals.GPU_SEEN_AT} unless on (cluster, uuid) {up} and on (cluster, host) {driver}"
    # Both: the condition at its first evaluation, and the alert for as long as it lasts.
    root = signals.GPU_ROOT.where(root="GpuFallenOffBus")
    fallen = f'({root} or ALERTS{{alertname="GpuFallenOffBus"}})'
    return Alert(
        name="GpuMissing",
        expr=f"({up} == 0\nor\n{vanished})\nunless on (cluster, host, gpu) {fallen}",
        severity="page",
        cls="root",
        component="gpu",
        summary="GPU missing: " + WHICH,
        impact="Engines on this GPU fail, or cannot be watched: nobody would see it overheat or lose memory.",
        action="On {{ $labels.host }}, run nvidia-smi -L: is the GPU listed, and does the command come back?",
        description=f"{WHO} should be there but does not answer the driver: unlisted since a restart, a driver that is "
        "not loaded or does not match, or a call that hangs.",
        board=BOARD,
        pending=15,
        keep_firing=60,
        hard=True,
        delay=timing.gpu_collection_interval + CALL_TIMEOUT_SECONDS,
        mutes=_mutes("GpuMissing"),
        breaks_replica=True,
    )


def _xid(timing: Timing) -> Alert:
    xids = signals.GPU_XID_AGE.where(xid__re="|".join(map(str, SERVICEABLE_XIDS)))
    return Alert(
        name="GpuXidFatal",
        expr=recent(xids, timing),
        severity="page",
        cls="root",
        component="gpu",
        summary="GPU failed with XID {{ $labels.xid }}: " + WHICH,
        impact="The engine on this GPU is dead or computes wrong answers until the GPU is reset.",
        action="Take its engine out of service, then reset the GPU: nvidia-smi --gpu-reset -i {{ $labels.gpu }}.",
        description=f"The driver reported XID {{{{ $labels.xid }}}} ({xid_words(SERVICEABLE_XIDS)}) for {WHO}.",
        value="seen {{ $value | humanizeDuration }} ago",
        threshold="none in the last ten minutes",
        board=BOARD,
        keep_firing=60,
        hard=True,
        delay=timing.gpu_collection_interval,
        memory=timing.window(EVENT_SECONDS),
        mutes=_mutes("GpuXidFatal"),
        breaks_replica=True,
    )


def _ecc(timing: Timing, objectives: Objectives) -> Alert:
    errors = objectives.threshold("GpuEccUncorrectable", ECC_ERRORS)
    return Alert(
        name="GpuEccUncorrectable",
        expr=f"{signals.GPU_ECC_UNCORRECTED} > {errors:g}",
        severity="page",
        cls="root",
        component="gpu",
        summary="GPU memory error: " + WHICH,
        impact="Data in this GPU's memory was lost: its engine crashes, or gives wrong answers.",
        action="Restart the engine on another GPU, then reset this one and look at its remapped rows.",
        description="ECC found errors in the memory of GPU {{ $labels.gpu }} ({{ $labels.uuid }}) that it could not "
        "correct.",
        value='{{ $value | printf "%.0f" }} in the last ten minutes',
        threshold=f"{errors:g}",
        board=BOARD,
        keep_firing=60,
        hard=True,
        delay=timing.gpu_collection_interval,
        memory=timing.window(EVENT_SECONDS),
        mutes=_mutes("GpuEccUncorrectable"),
        breaks_replica=True,
    )


def _overheating(timing: Timing, objectives: Objectives) -> Alert:
    margin = objectives.threshold("GpuOverheating", MARGIN_CELSIUS)
    # Some cards have no margin, and hot memory slows a GPU down whose die has some left: slowing down is margin 0.
    slowdown = f"({last(timing, signals.GPU_HEAT_SLOWDOWN)} == 1) * 0"
    return Alert(
        name="GpuOverheating",
        expr=f"{last(timing, signals.GPU_TEMPERATURE_MARGIN)} <= {margin:g}\nor\n{slowdown}",
        severity="page",
        cls="root",
        component="gpu",
        summary="GPU overheating: " + WHICH,
        impact="The hardware slows this GPU down, so every request on it gets slower; hotter still, it turns off.",
        action="Drain GPU {{ $labels.gpu }} on {{ $labels.host }}, then look at fans, air inlet and room temperature.",
        description="GPU {{ $labels.gpu }} ({{ $labels.uuid }}) on {{ $labels.host }} has reached the temperature at "
        "which its hardware slows it down.",
        value="{{ $value | humanize }} °C of margin left",
        threshold=f"above {margin:g} °C",
        board=BOARD,
        pending=15,
        keep_firing=60,
        hard=True,
        delay=timing.gpu_collection_interval,
        mutes=_mutes("GpuOverheating"),
        breaks_replica=True,
    )
