"""Is each host well? Tickets: what hurts users pages through its engine or its GPU."""

from dataclasses import replace

from alerts import boards, foreign, signals
from alerts.engines.adapter import record
from alerts.objectives import Objectives
from alerts.rule import Alert, Group, Mute, Words
from alerts.timing import Timing, duration
from exporters.catalogue.labels import CLUSTER, HOST

BOARD = boards.OF_HOST

AGENT_JOBS = "node|node[-_]exporter"
"""Jobs whose target is the host's own agent."""
MEMORY_USED_RATIO = 0.9
"""Above it, loading a model or one large upload ends in the kernel's killer; the project's requirement."""
DISK_FREE_RATIO = 0.05
"""ext4 keeps 5 % for root by default: below it, programs soon write nothing more."""
DISK_FILLING_RATIO = 0.2
"""A forecast counts only below this: a disk that is still mostly empty has time for a straight line to bend."""
NOT_DISKS = "tmpfs|ramfs|squashfs|iso9660|overlay|fuse.*"
"""File systems that are no disk of this host, or are full by nature."""
DISK_HORIZON_SECONDS = 4 * 3600
"""Half a shift: long enough to act by day, short enough for a straight line to hold."""
DISK_TREND_SECONDS = 3600
"""What the forecast is drawn from: longer than one model download, which looks like a disk that fills."""
SHM = "/dev/shm"  # noqa: S108 - the file system itself, no file in it
SHM_FREE_RATIO = 0.1
"""NCCL takes about 10 MB per pair of GPUs at once, and dies with a bus error where it gets none."""
CPU_BUSY_RATIO = 0.8
"""The project's requirement; counts only with CPU_WAITING_RATIO: a busy CPU that nobody waits for is well used."""
CPU_WAITING_RATIO = 0.2
"""Share of time in which a task waits for a CPU: every fifth token then comes late (PSI, kernel documentation)."""
STEAL_RATIO = 0.1
"""A tenth of the time taken by the hypervisor is the usual mark of an oversold host."""
SKEW_SECONDS = 0.5
"""Half a second: traces of two hosts can no longer be put in order, and ages of samples read wrong."""
NETWORK_BAD_RATIO = 0.02
"""TCP over a path that loses 2 % of its packets gets a small fraction of the link (Mathis et al., 1997)."""
NETWORK_MIN_PACKETS = 10
"""Packets a second below which a share says nothing."""
NOT_CARDS = "lo|veth.*|docker.*|br-.*|cali.*|cni.*|flannel.*|tap.*|ifb.*"
"""Devices without a cable."""
LONG_SECONDS = 300
"""Look-back of rates on hosts: long enough that one burst is no trend."""
OOM_MEMORY_SECONDS = 600
"""A kill is an event: the ticket stays for ten minutes after it, so that restarts in a row are one ticket."""


def group(timing: Timing, objectives: Objectives) -> Group:
    """The clock's skew as a signal, then the alerts."""
    skew = record(signals.HOST_CLOCK_SKEW, f"{foreign.HOST_TIME} - timestamp({foreign.HOST_TIME})")
    alerts = (
        _down(timing),
        _memory(timing, objectives),
        _oom(timing),
        _disk(timing, objectives),
        _shm(timing, objectives),
        _cpu(timing, objectives),
        _steal(timing, objectives),
        _clock(timing, objectives),
        _network(timing, objectives),
    )
    return Group("host", (skew,), alerts)


def _ticket(name: str, expr: str, words: Words, *, pending: float, window: float = 0) -> Alert:
    return Alert(
        name=name,
        expr=expr,
        severity="ticket",
        cls="root",
        component="host",
        board=BOARD,
        pending=pending,
        keep_firing=60,
        window=window,
        **words,
    )


def _down(timing: Timing) -> Alert:
    agent = foreign.UP.where(job__re=AGENT_JOBS)
    return Alert(
        name="HostDown",
        # The agent alone is TargetDown: a host is down where nothing on it answers, and it had more to say than one.
        expr=f"{agent} == 0\n"
        f"and on (cluster, host) max by (cluster, host) ({foreign.UP}) == 0\n"
        f"and on (cluster, host) count by (cluster, host) ({foreign.UP}) > 1",
        severity="ticket",
        cls="root",
        component="host",
        summary="Host down: {{ $labels.host }}",
        impact="What ran on {{ $labels.host }} is gone; where that is more than a service can spare, its engines page.",
        action="Is {{ $labels.host }} reachable at all? Ping it, then look at its console or management board.",
        description="Neither the host's agent at {{ $labels.instance }} nor any other target on {{ $labels.host }} "
        "answers Prometheus.",
        board=BOARD,
        pending=15,
        keep_firing=60,
        delay=timing.scrape_timeout,
        mutes=(Mute("TargetDown", (CLUSTER, HOST)),),
    )


def _memory(timing: Timing, objectives: Objectives) -> Alert:
    limit = objectives.threshold("HostMemoryHigh", MEMORY_USED_RATIO)
    bridge = duration(timing.window(15))  # one missed scrape must not reset `for`
    free, total = (
        f"last_over_time({signal.over(bridge)})" for signal in (foreign.MEMORY_AVAILABLE, foreign.MEMORY_TOTAL)
    )
    words = Words(
        summary="Memory almost full: {{ $labels.host }}",
        impact="Nobody yet; when it is full, the kernel kills a process, most likely the engine.",
        action="On {{ $labels.host }}, find who takes it: ps -eo pid,rss,comm --sort=-rss | head.",
        description="Programs hold almost all memory of {{ $labels.host }}; the rest is all that they could still get "
        "without swapping.",
        value="{{ $value | humanizePercentage }} in use",
        threshold=f"at most {limit * 100:.4g} %",
    )
    return _ticket("HostMemoryHigh", f"1 - {free} / {total} > {limit:g}", words, pending=120)


def _oom(timing: Timing) -> Alert:
    window = timing.window(OOM_MEMORY_SECONDS)
    words = Words(
        summary="Killed for memory: a process on {{ $labels.host }}",
        impact="Whatever the killed process did has stopped; if it was an engine, its requests were lost.",
        action="On {{ $labels.host }}, see who it was: dmesg -T | grep -i 'killed process'.",
        description="The kernel of {{ $labels.host }} ran out of memory, in the host or in one control group, and "
        f"killed to get some back, within the last {duration(window)}.",
        value='{{ printf "%.0f" $value }} killed',
        threshold="none",
    )
    expr = f"increase({foreign.OOM_KILLS.over(duration(window))}) > 0"
    return replace(_ticket("HostOomKill", expr, words, pending=0), memory=window)


def _disk(timing: Timing, objectives: Objectives) -> Alert:
    limit = objectives.threshold("HostDiskFull", DISK_FREE_RATIO)
    trend, horizon = timing.window(DISK_TREND_SECONDS), timing.window(DISK_HORIZON_SECONDS)
    free, size = foreign.FILESYSTEM_FREE, foreign.FILESYSTEM_SIZE
    bridge = duration(timing.window(15))
    share = f"last_over_time({free.over(bridge)}) / last_over_time({size.over(bridge)})"
    words = Words(
        summary="Disk full soon: {{ $labels.mountpoint }} on {{ $labels.host }}",
        impact="Nobody yet; when it is full, models do not load, logs stop, and Prometheus forgets.",
        action="On {{ $labels.host }}, find what grew: du -xh --max-depth=2 {{ $labels.mountpoint }} | sort -h | tail.",
        description=f"{{{{ $labels.mountpoint }}}} ({{{{ $labels.device }}}}) has less than {limit * 100:.3g} % free, "
        f"or fills up within {duration(horizon)} if it goes on as in the last {duration(trend)}.",
        value="{{ $value | humanizePercentage }} free",
        threshold=f"at least {limit * 100:.4g} %, and not full in {duration(horizon)}",
    )
    expr = (
        "(\n"
        f"  {share} < {limit:g}\n"
        f"  or {share} < {DISK_FILLING_RATIO:g}\n"
        f"    and predict_linear({free.over(duration(trend))}, {horizon:g}) < 0\n"
        # A trend of a few samples is noise: half of the window must be there.
        f"    and last_over_time({free.over(bridge)} offset {duration(trend / 2)}) > 0\n"
        ")\n"
        f"unless last_over_time({foreign.FILESYSTEM_READONLY.over(bridge)}) == 1\n"
        f"unless last_over_time({size.where(fstype__re=NOT_DISKS).over(bridge)})"
    )
    return _ticket("HostDiskFull", expr, words, pending=120)


def _shm(timing: Timing, objectives: Objectives) -> Alert:
    limit = objectives.threshold("HostShmFull", SHM_FREE_RATIO)
    bridge = duration(timing.window(15))
    free, size = (
        f"last_over_time({signal.over(bridge)})"
        for signal in (foreign.FILESYSTEM_FREE.where(mountpoint=SHM), foreign.FILESYSTEM_SIZE)
    )
    words = Words(
        summary="Shared memory almost full: /dev/shm on {{ $labels.host }}",
        impact="Engines that use several GPUs die with a bus error, or do not start, once it is full.",
        action="On {{ $labels.host }}, see whose it is: ls -l /dev/shm; remove what belongs to no living process.",
        description="Shared memory of {{ $labels.host }}, through which an engine's processes talk, is almost full.",
        value="{{ $value | humanizePercentage }} free",
        threshold=f"at least {limit * 100:.4g} %",
    )
    return _ticket("HostShmFull", f"{free} / {size} < {limit:g}", words, pending=30)


def _cpu(timing: Timing, objectives: Objectives) -> Alert:
    limit = objectives.threshold("HostCpuSaturated", CPU_BUSY_RATIO)
    window = timing.window(LONG_SECONDS)
    words = Words(
        summary="CPU saturated: {{ $labels.host }}",
        impact="Requests on {{ $labels.host }} get slower: the engine's own threads wait for a CPU.",
        action="On {{ $labels.host }}, see who runs: top -b -n 1 | head -20; move away what is no engine.",
        description=f"Over the last {duration(window)} the CPUs of {{{{ $labels.host }}}} were busy, and at least one "
        f"task waited for one in more than {CPU_WAITING_RATIO * 100:g} % of the time.",
        value="{{ $value | humanizePercentage }} busy",
        threshold=f"at most {limit * 100:.4g} %",
    )
    expr = (
        f"1 - {_cpu_share('idle|iowait', window)} > {limit:g}\n"
        f"and rate({foreign.CPU_PRESSURE.over(duration(window))}) > {CPU_WAITING_RATIO:g}"
    )
    return _ticket("HostCpuSaturated", expr, words, pending=120, window=window)


def _steal(timing: Timing, objectives: Objectives) -> Alert:
    limit = objectives.threshold("HostCpuSteal", STEAL_RATIO)
    window = timing.window(LONG_SECONDS)
    words = Words(
        summary="CPU taken away: {{ $labels.host }}",
        impact="Requests on {{ $labels.host }} get slower at times that nothing on it explains.",
        action="Ask who runs the machine below {{ $labels.host }} to move it, or take its engines out of the balancer.",
        description=f"The hypervisor gave the CPUs of {{{{ $labels.host }}}} to others over the last "
        f"{duration(window)} while work was waiting on them.",
        value="{{ $value | humanizePercentage }} of the time",
        threshold=f"at most {limit * 100:.4g} %",
    )
    return _ticket("HostCpuSteal", f"{_cpu_share('steal', window)} > {limit:g}", words, pending=120, window=window)


def _cpu_share(modes: str, window: float) -> str:
    """Share of CPU time spent in the modes of a regular expression, over all CPUs of a host."""
    part, whole = (
        f"sum without (cpu, mode) (rate({signal.over(duration(window))}))"
        for signal in (foreign.CPU_SECONDS.where(mode__re=modes), foreign.CPU_SECONDS)
    )
    return f"{part} / {whole}"


def _clock(timing: Timing, objectives: Objectives) -> Alert:
    limit = objectives.threshold("HostClockSkew", SKEW_SECONDS)
    bridge = duration(timing.window(15))
    words = Words(
        summary="Clock wrong: {{ $labels.host }}",
        impact="No user is hurt, but times in logs, traces and ages of samples from {{ $labels.host }} mislead.",
        action="On {{ $labels.host }}, look at chronyc tracking or timedatectl: is the time service running?",
        description="The clock of {{ $labels.host }} is off from that of Prometheus.",
        value="{{ $value | humanizeDuration }} off",
        threshold=f"at most {limit:g} s",
    )
    expr = f"abs(last_over_time({signals.HOST_CLOCK_SKEW.over(bridge)})) > {limit:g}"
    return _ticket("HostClockSkew", expr, words, pending=120)


def _network(timing: Timing, objectives: Objectives) -> Alert:
    limit = objectives.threshold("HostNetworkErrors", NETWORK_BAD_RATIO)
    window = duration(timing.window(LONG_SECONDS))
    errors = _per_second(window, foreign.RECEIVE_ERRORS.where(device__nre=NOT_CARDS), foreign.TRANSMIT_ERRORS)
    packets = _per_second(window, foreign.RECEIVED_PACKETS, foreign.TRANSMITTED_PACKETS)
    again, sent = _per_second(window, foreign.TCP_RETRANSMITTED), _per_second(window, foreign.TCP_SENT)
    words = Words(
        summary="Network errors: {{ $labels.host }}{{ with $labels.device }} on {{ . }}{{ end }}",
        impact="Streams from {{ $labels.host }} stutter: what is lost is sent again, late.",
        action="On {{ $labels.host }}, run ip -s link and ss -ti; then look at cable, transceiver and switch port.",
        description="{{ with $labels.device }}The card {{ . }} of{{ else }}TCP on{{ end }} {{ $labels.host }} "
        "{{ with $labels.device }}receives or sends broken packets{{ else }}sends too much again{{ end }}.",
        value="{{ $value | humanizePercentage }} of its packets",
        threshold=f"at most {limit * 100:.4g} %",
    )
    expr = (
        f"({errors}) / ({packets}) > {limit:g} and {packets} > {NETWORK_MIN_PACKETS}\n"
        f"or\n{again} / {sent} > {limit:g} and {sent} > {NETWORK_MIN_PACKETS}"
    )
    return _ticket("HostNetworkErrors", expr, words, pending=120, window=timing.window(LONG_SECONDS))


def _per_second(window: str, *counters: signals.Signal) -> str:
    return " + ".join(f"rate({counter.over(window)})" for counter in counters)
