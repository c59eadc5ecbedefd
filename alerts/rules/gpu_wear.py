"""Tickets for GPUs that still work: errors that were contained, and parts that wear out."""

from typing import Unpack

from alerts import signals
from alerts.engines import of_gpus
from alerts.engines.own_gpu import EVENT_SECONDS
from alerts.objectives import Objectives
from alerts.rule import Alert, Group, Mute, Words
from alerts.rules.gpu import BOARD, WHICH, WHO, last, recent, xid_words
from alerts.timing import Timing
from exporters.catalogue.labels import CLUSTER, HOST, UUID
from exporters.catalogue.xid import FATAL, XIDS

SIGNALS = (
    signals.GPU_RECOVERY_ACTION,
    signals.GPU_ROW_REMAP_FAILED,
    signals.GPU_RETIREMENT_PENDING,
    signals.GPU_SRAM_THRESHOLD_EXCEEDED,
)
"""What these alerts read, recorded with them; XIDs are the roots'."""

_NOT_FATAL = [one for one in XIDS if not one.fatal]
INFORMATION = tuple(one.code for one in _NOT_FATAL if one.kind == "info")
"""Companions of another XID, which has its own alert."""
APPLICATION = tuple(one.code for one in _NOT_FATAL if one.kind in ("app", "driver"))
"""Mostly the fault of a program or the driver; hardware where one GPU has them with every program."""
CONTAINED = tuple(one.code for one in _NOT_FATAL if one.code not in (*INFORMATION, *APPLICATION))
"""The hardware took the error and went on. A code that the catalogue does not know is treated so: better a ticket for
nothing than a new kind of error that nobody hears of."""


def group(timing: Timing, objectives: Objectives) -> Group:
    """The tickets' signals, then the tickets."""
    return Group(
        "gpu_wear",
        of_gpus(timing, SIGNALS),
        (
            _contained(timing),
            _application(timing),
            _recovery(timing),
            _remap_failed(timing),
            _retirement_pending(timing),
            _sram(timing),
        ),
    )


def _contained(timing: Timing) -> Alert:
    return _xid(
        timing,
        "GpuXidContained",
        signals.GPU_XID_AGE.where(xid__nre=_any_of((*FATAL, *INFORMATION, *APPLICATION))),
        summary="GPU reported XID {{ $labels.xid }}: " + WHICH,
        impact="At most one program on this GPU crashed; the next error may cost more.",
        action="Look up the XID in the runbook; plan a reset of the GPU when it is idle.",
        description=_reported(CONTAINED),
        value="seen {{ $value | humanizeDuration }} ago",
        threshold="none in the last ten minutes",
    )


def _application(timing: Timing) -> Alert:
    return _xid(
        timing,
        "GpuXidApplication",
        signals.GPU_XID_AGE.where(xid__re=_any_of(APPLICATION)),
        summary="Program failed on a GPU with XID {{ $labels.xid }}: " + WHICH,
        impact="One program on this GPU crashed or was cut short; others go on.",
        action="Read that program's log for its first CUDA error; where every program fails so, test the GPU.",
        description=_reported(APPLICATION),
        value="seen {{ $value | humanizeDuration }} ago",
        threshold="none in the last ten minutes",
    )


def _any_of(codes: tuple[int, ...]) -> str:
    return "|".join(map(str, sorted(codes)))


def _xid(timing: Timing, name: str, xids: signals.Signal, **words: Unpack[Words]) -> Alert:
    return Alert(
        name=name,
        expr=recent(xids, timing),
        severity="ticket",
        cls="root",
        component="gpu",
        board=BOARD,
        keep_firing=60,
        delay=timing.gpu_collection_interval,
        memory=timing.window(EVENT_SECONDS),
        hops=2,  # XIDs are recorded in the group `gpu`
        **words,
    )


def _reported(codes: tuple[int, ...]) -> str:
    return f"The driver reported XID {{{{ $labels.xid }}}} ({xid_words(codes)}) for {WHO}."


def _recovery(timing: Timing) -> Alert:
    return _state(
        timing,
        "GpuRecoveryNeeded",
        signals.GPU_RECOVERY_ACTION,
        "> 0",
        summary="GPU asks to be recovered: " + WHICH,
        impact="Nobody yet; the driver says that this GPU needs a reset or its host a restart.",
        action="Drain the GPU, then do what the action says: 1 reset it, 2 restart the host, 3 and more drain first.",
        description="The driver asks for recovery of GPU {{ $labels.gpu }} ({{ $labels.uuid }}).",
        value="action {{ $value }}",
        threshold="action 0, none",
    )


def _remap_failed(timing: Timing) -> Alert:
    return _state(
        timing,
        "GpuRowRemapFailed",
        signals.GPU_ROW_REMAP_FAILED,
        "== 1",
        mutes=("GpuMemoryRetirementPending", "GpuRecoveryNeeded"),
        summary="GPU memory cannot be repaired: " + WHICH,
        impact="Nobody yet; the next uncorrectable error in that row crashes the engine again.",
        action="Drain the GPU and have the card replaced: NVIDIA counts this as a reason for return.",
        description="A broken row of GPU {{ $labels.gpu }}'s memory ({{ $labels.uuid }}) could not be replaced by a "
        "spare one.",
    )


def _retirement_pending(timing: Timing) -> Alert:
    return _state(
        timing,
        "GpuMemoryRetirementPending",
        signals.GPU_RETIREMENT_PENDING,
        "== 1",
        mutes=("GpuRecoveryNeeded",),
        summary="GPU waits for a reset to repair memory: " + WHICH,
        impact="Nobody yet; until the reset, the broken memory stays in use.",
        action="Reset the GPU at the next quiet hour: nvidia-smi --gpu-reset -i {{ $labels.gpu }}.",
        description="Broken memory of GPU {{ $labels.gpu }} ({{ $labels.uuid }}) is to be taken out of use, which "
        "happens at the next reset.",
    )


def _sram(timing: Timing) -> Alert:
    return _state(
        timing,
        "GpuSramErrorsHigh",
        signals.GPU_SRAM_THRESHOLD_EXCEEDED,
        "== 1",
        summary="GPU's on-chip memory wears out: " + WHICH,
        impact="Nobody yet; uncorrected errors of on-chip memory crash engines.",
        action="Drain the GPU and have the card replaced.",
        description="On-chip memory of GPU {{ $labels.gpu }} ({{ $labels.uuid }}) had more uncorrected errors than "
        "NVIDIA accepts of a card in service.",
    )


def _state(
    timing: Timing,
    name: str,
    signal: signals.Signal,
    comparison: str,
    *,
    mutes: tuple[str, ...] = (),
    **words: Unpack[Words],
) -> Alert:
    return Alert(
        name=name,
        expr=f"{last(timing, signal)} {comparison}",
        severity="ticket",
        cls="root",
        component="gpu",
        board=BOARD,
        pending=60,
        keep_firing=300,
        delay=timing.gpu_collection_interval,
        mutes=tuple(Mute(alert, (CLUSTER, HOST, UUID), together=True) for alert in mutes),
        **words,
    )
