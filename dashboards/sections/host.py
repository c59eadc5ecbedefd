"""The machine beneath: is it there, and does it have CPU, memory, disk, network and the right time?"""

from alerts import foreign, signals
from alerts.rules import host
from alerts.signals import Signal
from dashboards.board import Section
from dashboards.limits import limit, window
from dashboards.panels import BAD, GOOD, Query, Said, Thresholds, above, below, lines, states
from dashboards.queries import AT_END, BARS, LINES, worst, worst_at_end
from dashboards.sdk import PanelBuilder
from dashboards.variables import ON_HOST

_THIRD = 8
_FEW = 5
_BY = "cluster, host"
_NAME = "{{host}}"


def section() -> Section:
    """Whether it is there, then what it may lack."""
    return Section(
        "Is the host well?",
        (
            _answers(),
            _cpu(),
            _steal(),
            _memory(),
            _killed(),
            _disk(),
            _shared_memory(),
            _network(),
            _clock(),
        ),
    )


def _answers() -> PanelBuilder:
    said = Said(
        "What answers on the host",
        f"Is the host there? Each of its targets; the {BARS} worst of the last ten minutes. All red: the host is down. "
        "One red: that program is.",
        unit="none",
        nothing="Nothing on this host is watched",
        width=_THIRD,
    )
    expr = worst("bottomk", BARS, f"min by ({_BY}, job) ({{up}})", up=foreign.UP.where(**ON_HOST))
    return states(said, Query(expr, "{{host}} {{job}}"), {"1": ("answers", GOOD), "0": ("does not answer", BAD)})


def _cpu() -> PanelBuilder:
    most = limit("HostCpuSaturated", host.CPU_BUSY_RATIO)
    said = Said(
        "CPU",
        f"Do engines wait for a CPU? Share of CPU time that is used, and dashed the share of time in which something "
        f"waits for one. Orange from {most:.0%}, and an alert where more than {host.CPU_WAITING_RATIO:.0%} wait, too: "
        "busy without waiting is well used.",
        unit="percentunit",
        nothing="The host's agent reports no CPU",
        width=_THIRD,
    )
    idle, everything = _rate(foreign.CPU_SECONDS.where(mode__re="idle|iowait")), _rate(foreign.CPU_SECONDS)
    queries = [
        Query(worst_at_end("topk", _FEW, f"1 - {idle} / {everything}"), _NAME),
        Query(worst_at_end("topk", _FEW, _rate(foreign.CPU_PRESSURE, "max")), f"{_NAME} waits"),
    ]
    return lines(said, queries, thresholds=above(most), limits=(0, 1), dashed="/ waits$/")


def _steal() -> PanelBuilder:
    most = limit("HostCpuSteal", host.STEAL_RATIO)
    taken, everything = _rate(foreign.CPU_SECONDS.where(mode="steal")), _rate(foreign.CPU_SECONDS)
    return _judged(
        "CPU taken away",
        f"Does the hypervisor give the CPUs to others? Orange from {most:.0%} of the time: slowness that nothing on "
        "the host explains.",
        "percentunit",
        worst_at_end("topk", LINES, f"{taken} / {everything}"),
        above(most),
    )


def _memory() -> PanelBuilder:
    most = limit("HostMemoryHigh", host.MEMORY_USED_RATIO)
    return _judged(
        "Host memory in use",
        f"Is memory running out? Share that programs hold. Orange from {most:.0%}: the kernel will soon kill one, most "
        "likely the engine.",
        "percentunit",
        worst(
            "topk",
            LINES,
            f"1 - min by ({_BY}) ({{free}}) / min by ({_BY}) ({{total}})",
            free=_of(foreign.MEMORY_AVAILABLE),
            total=_of(foreign.MEMORY_TOTAL),
        ),
        above(most),
        limits=(0, 1),
    )


def _killed() -> PanelBuilder:
    span = window(host.OOM_MEMORY_SECONDS)
    return _judged(
        "Killed for memory",
        f"Did the kernel kill a process to get memory back? Kills within {span}. Orange from 1.",
        "none",
        worst_at_end("topk", LINES, f"max by ({_BY}) (increase({_of(foreign.OOM_KILLS).over(span)}{AT_END}))"),
        above(1),
        decimals=0,
    )


def _disk() -> PanelBuilder:
    least = limit("HostDiskFull", host.DISK_FREE_RATIO)
    by = f"{_BY}, mountpoint"
    return _judged(
        "Disk that is left",
        f"Is a disk full soon? Share that is free. Orange below {least:.0%}: models do not load and logs stop. The "
        "alert comes before, where the trend says so.",
        "percentunit",
        worst(
            "bottomk",
            LINES,
            f"min by ({by}) ({{free}}) / min by ({by}) ({{size}})",
            free=_of(foreign.FILESYSTEM_FREE).where(fstype__nre=host.NOT_DISKS),
            size=_of(foreign.FILESYSTEM_SIZE).where(fstype__nre=host.NOT_DISKS),
        ),
        below(least),
        limits=(0, 1),
        name=f"{_NAME} {{{{mountpoint}}}}",
    )


def _shared_memory() -> PanelBuilder:
    least = limit("HostShmFull", host.SHM_FREE_RATIO)
    return _judged(
        "Shared memory that is left",
        f"Can an engine's processes talk? Share of /dev/shm that is free. Orange below {least:.0%}: engines of several "
        "GPUs die with a bus error.",
        "percentunit",
        worst(
            "bottomk",
            LINES,
            f"min by ({_BY}) ({{free}}) / min by ({_BY}) ({{size}})",
            free=_of(foreign.FILESYSTEM_FREE).where(mountpoint=host.SHM),
            size=_of(foreign.FILESYSTEM_SIZE).where(mountpoint=host.SHM),
        ),
        below(least),
        limits=(0, 1),
    )


def _network() -> PanelBuilder:
    most = limit("HostNetworkErrors", host.NETWORK_BAD_RATIO)
    errors_in, errors_out, received, sent_out = (
        _rate(signal.where(device__nre=host.NOT_CARDS))
        for signal in (
            foreign.RECEIVE_ERRORS,
            foreign.TRANSMIT_ERRORS,
            foreign.RECEIVED_PACKETS,
            foreign.TRANSMITTED_PACKETS,
        )
    )
    again, sent = _rate(foreign.TCP_RETRANSMITTED), _rate(foreign.TCP_SENT)
    few = host.NETWORK_MIN_PACKETS
    said = Said(
        "Network errors",
        "Does the network lose packets? Share that TCP sends again, and dashed the share that the cards call broken. "
        f"Orange from {most:.0%}: streams stutter.",
        unit="percentunit",
        nothing="The host's agent reports no network",
        width=_THIRD,
    )
    broken = f"({errors_in} + {errors_out}) / ({received} + {sent_out} > {few})"
    queries = [
        Query(worst_at_end("topk", _FEW, f"{again} / ({sent} > {few})"), _NAME),
        Query(worst_at_end("topk", _FEW, broken), f"{_NAME} broken"),
    ]
    return lines(said, queries, thresholds=above(most), dashed="/ broken$/")


def _clock() -> PanelBuilder:
    most = limit("HostClockSkew", host.SKEW_SECONDS)
    return _judged(
        "Clock",
        f"Does the host know the time? Seconds between its clock and Prometheus'. Orange from {most:g} s: logs, traces "
        "and ages mislead.",
        "s",
        worst("topk", LINES, f"abs(max by ({_BY}) ({{skew}}))", skew=_of(signals.HOST_CLOCK_SKEW)),
        above(most),
    )


def _of(signal: Signal) -> Signal:
    return signal.where(**ON_HOST)


def _rate(signal: Signal, by: str = "sum") -> str:
    return f"{by} by ({_BY}) (rate({_of(signal).over(window(host.LONG_SECONDS))}{AT_END}))"


def _judged(  # noqa: PLR0913 - what a panel says and where it turns bad
    title: str,
    question: str,
    unit: str,
    expr: str,
    thresholds: Thresholds,
    *,
    limits: tuple[float | None, float | None] = (0, None),
    name: str = _NAME,
    decimals: int | None = None,
) -> PanelBuilder:
    nothing = "The host's agent does not report this"
    said = Said(title, question, unit=unit, nothing=nothing, width=_THIRD, decimals=decimals)
    return lines(said, [Query(expr, name)], thresholds=thresholds, limits=limits)
