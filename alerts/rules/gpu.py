"""Roots: the ways in which a GPU fails its users, in the order in which one explains the other.

Fallen off the bus > missing > fatal XID > uncorrectable memory error > overheating; each mutes those below it on the
same GPU, and the tickets of that GPU.
"""

from alerts import signals
from alerts.engines import GPU_SOURCES
from alerts.engines.own_gpu import EVENT_SECONDS
from alerts.objectives import Objectives
from alerts.rules.rule import Alert, Group, Mute
from alerts.timing import Timing, duration
from exporters.catalogue.labels import CLUSTER, HOST, UUID
from exporters.catalogue.xid import BY_CODE, FATAL

BOARD = "d/fleet/fleet?var-cluster={{ $labels.cluster | urlquery }}&var-host={{ $labels.host | urlquery }}"
WHICH = "GPU {{ $labels.gpu }} on {{ $labels.host }}"

FALLEN = 79
"""NVIDIA's XID for a GPU that has fallen off the bus."""
LOST = 15
"""NVML_ERROR_GPU_IS_LOST: the driver has given the GPU up."""
MARGIN_CELSIUS = 0
"""NVIDIA defines the margin as the distance to the hardware slowdown, so at 0 the GPU slows itself down."""

_ORDER = ("GpuFallenOffBus", "GpuMissing", "GpuXidFatal", "GpuEccUncorrectable", "GpuOverheating")
_TICKETS = ("GpuXidContained", "GpuXidApplication", "GpuRecoveryNeeded", "GpuNvlinkDown", "GpuThermalThrottle")
"""Tickets that a failed GPU raises by itself; what wears out slowly keeps its own ticket."""


def group(timing: Timing, objectives: Objectives) -> Group:
    """Signals of all GPU sources, then the roots."""
    recordings = tuple(recording for adapter in GPU_SOURCES for recording in adapter.recordings(timing))
    roots = (_fallen(timing), _missing(timing), _xid(timing), _ecc(timing), _overheating(timing, objectives))
    return Group("gpu", recordings, roots)


def xid_words() -> str:
    """The meaning of the alert's `xid`, as a Prometheus template."""
    cases = [f'{{{{ else if eq $labels.xid "{code}" }}}}{one.meaning}' for code, one in BY_CODE.items()]
    return "".join(cases).replace("{{ else if", "{{ if", 1) + "{{ else }}not in NVIDIA's catalogue{{ end }}"


def _mutes(root: str) -> tuple[Mute, ...]:
    below = _ORDER[_ORDER.index(root) + 1 :] + _TICKETS
    return tuple(Mute(alert, (CLUSTER, HOST, UUID), together=True) for alert in below)


def recent_xid(codes: str, timing: Timing) -> str:
    """XIDs of a regular expression of codes that were seen lately."""
    seen = signals.GPU_XID_LAST_SEEN.where(xid__re=codes)
    return f"time() - {seen} < {timing.window(EVENT_SECONDS):g}"


def _lost(timing: Timing) -> str:
    bridge = duration(timing.window(15))
    code = f"last_over_time({signals.GPU_LAST_ERROR.over(bridge)}) == {LOST}"
    return f"{code} and last_over_time({signals.GPU_UP.over(bridge)}) == 0"


def _fallen(timing: Timing) -> Alert:
    return Alert(
        name="GpuFallenOffBus",
        expr=f"max without (xid) ({recent_xid(str(FALLEN), timing)})\nor\n{_lost(timing)}",
        severity="page",
        cls="root",
        component="gpu",
        summary="GPU fallen off the bus: " + WHICH,
        impact="Every engine on this GPU is dead or about to die; the GPU is gone until the host is restarted.",
        action="Move its work elsewhere, then drain {{ $labels.host }} and restart it.",
        description="The driver lost contact with GPU {{ $labels.gpu }} ({{ $labels.uuid }}): "
        f"XID {FALLEN}, or NVML says that the GPU is lost.",
        board=BOARD,
        keep_firing=60,
        hard=True,
        delay=timing.gpu_collection_interval,
        memory=timing.window(EVENT_SECONDS),
        mutes=_mutes("GpuFallenOffBus"),
    )


def _missing(timing: Timing) -> Alert:
    bridge = duration(timing.window(15))
    return Alert(
        name="GpuMissing",
        expr=f"last_over_time({signals.GPU_UP.over(bridge)}) == 0\nunless on (cluster, host, uuid) ({_lost(timing)})",
        severity="page",
        cls="root",
        component="gpu",
        summary="GPU missing: " + WHICH,
        impact="Engines on this GPU fail, or cannot be watched: nobody would see it overheat or lose memory.",
        action="On {{ $labels.host }}, run nvidia-smi -L: is the GPU listed, and does the command come back?",
        description="GPU {{ $labels.gpu }} ({{ $labels.uuid }}) should be there but does not answer the driver: "
        "unlisted since a restart, a driver that is not loaded or does not match, or a call that hangs.",
        board=BOARD,
        pending=15,
        keep_firing=60,
        hard=True,
        delay=timing.gpu_collection_interval,
        mutes=_mutes("GpuMissing"),
    )


def _xid(timing: Timing) -> Alert:
    codes = "|".join(str(code) for code in FATAL if code != FALLEN)
    return Alert(
        name="GpuXidFatal",
        expr=recent_xid(codes, timing),
        severity="page",
        cls="root",
        component="gpu",
        summary="GPU failed with XID {{ $labels.xid }}: " + WHICH,
        impact="The engine on this GPU is dead or computes wrong answers until the GPU is reset.",
        action="Take its engine out of service, then reset the GPU: nvidia-smi --gpu-reset -i {{ $labels.gpu }}.",
        description="The driver reported XID {{ $labels.xid }} (" + xid_words() + ") for GPU {{ $labels.gpu }} "
        "({{ $labels.uuid }}).",
        value="seen {{ $value | humanizeDuration }} ago",
        threshold="no fatal XID",
        board=BOARD,
        keep_firing=60,
        hard=True,
        delay=timing.gpu_collection_interval,
        memory=timing.window(EVENT_SECONDS),
        mutes=_mutes("GpuXidFatal"),
    )


def _ecc(timing: Timing) -> Alert:
    return Alert(
        name="GpuEccUncorrectable",
        expr=f"{signals.GPU_ECC_UNCORRECTED} > 0",
        severity="page",
        cls="root",
        component="gpu",
        summary="GPU memory error: " + WHICH,
        impact="Data in this GPU's memory was lost: its engine crashes, or gives wrong answers.",
        action="Restart the engine on another GPU, then reset this one and look at its remapped rows.",
        description="ECC found errors in the memory of GPU {{ $labels.gpu }} ({{ $labels.uuid }}) that it could not "
        "correct.",
        value="{{ $value | humanize }} errors in the last ten minutes",
        threshold="0",
        board=BOARD,
        keep_firing=60,
        hard=True,
        delay=timing.gpu_collection_interval,
        memory=timing.window(EVENT_SECONDS),
        mutes=_mutes("GpuEccUncorrectable"),
    )


def _overheating(timing: Timing, objectives: Objectives) -> Alert:
    bridge = duration(timing.window(15))  # one missed scrape must not reset `for`
    margin = objectives.threshold("GpuOverheating", MARGIN_CELSIUS)
    return Alert(
        name="GpuOverheating",
        expr=f"last_over_time({signals.GPU_TEMPERATURE_MARGIN.over(bridge)}) <= {margin:g}",
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
    )
