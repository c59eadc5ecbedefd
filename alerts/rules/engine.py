"""Is each inference engine alive, and does it make progress?"""

from alerts import boards, signals
from alerts.engines import ENGINES
from alerts.engines.adapter import record
from alerts.objectives import Objectives
from alerts.rule import Alert, Group, Mute
from alerts.timing import Timing, duration
from exporters.catalogue.labels import CLUSTER, INSTANCE, SERVICE

_BOARD = boards.OF_SERVICE
_SERVICE = (CLUSTER, SERVICE)
SYMPTOMS = ("ServiceCapacityLost", "ServiceDown", "SloFastBurn")
"""What users of a service feel where so many of its engines are broken that one of them pages."""

OWN_TICKETS = (
    "EngineModelNotLoaded",
    "EngineThroughputDrop",
    "EngineQueueBacklog",
    "EngineKvCacheSaturated",
    "EnginePreemptionStorm",
    "EngineRejections",
    "EngineErrorsInternal",
)
"""What a broken engine also shows of itself."""

FLAP_SECONDS = 180
"""What is bad for half of every five minutes is one incident: its good half and the time to notice the next bad one."""
HUNG_WINDOW_SECONDS = 15
"""Three scrapes at the default clock: the idle heartbeat turns at least once a second, so none in 15 s is no chance."""

_MUTES = (
    *(Mute(symptom, _SERVICE) for symptom in SYMPTOMS),
    *(Mute(ticket, (CLUSTER, INSTANCE)) for ticket in OWN_TICKETS),
)


def group(timing: Timing, objectives: Objectives) -> Group:
    """Signals of all engines, then their alerts, in one group: no evaluation is lost between them."""
    up = record(signals.ENGINE_UP, 'up{engine!=""}')
    native = tuple(recording for adapter in ENGINES for recording in adapter.recordings(timing))
    return Group("engine", (up, *native), (_down(timing), _hung(timing), _not_loaded(timing)))


def _down(timing: Timing) -> Alert:
    return Alert(
        name="EngineDown",
        expr=f"{signals.ENGINE_UP} == 0",
        severity="page",
        cls="root",
        component="engine",
        summary="Engine down: {{ $labels.service }} on {{ $labels.host }}",
        impact="Requests to this replica of {{ $labels.service }} fail; where it is the only one, all of them do.",
        action="On {{ $labels.host }}, read the last lines of the engine's log, then restart it.",
        description="Prometheus gets no answer from {{ $labels.engine }} at {{ $labels.instance }}: the process is "
        "gone, or its metrics page takes more than " + duration(timing.scrape_timeout) + ".",
        board=_BOARD,
        pending=15,
        keep_firing=FLAP_SECONDS,
        hard=True,
        # A refused connection fails at once; a frozen process only after the scrape timeout.
        delay=timing.scrape_timeout,
        mutes=_MUTES,
        breaks_replica=True,
    )


def _hung(timing: Timing) -> Alert:
    window = timing.window(HUNG_WINDOW_SECONDS)
    bridge = duration(timing.window(15))  # one missed scrape must not reset `for`
    progress, loaded, running, waiting = (
        f"last_over_time({signal.over(bridge)})"
        for signal in (signals.PROGRESS, signals.MODEL_LOADED, signals.RUNNING, signals.WAITING)
    )
    probe = f"max by (cluster, namespace, service) (last_over_time({signals.PROBE_SUCCESS.over(bridge)}))"
    return Alert(
        name="EngineHung",
        # A wedged engine can read "running 0", so the outside probe counts as work that waits, too.
        expr=f"{progress} == 0\n"
        f"and {loaded} == 1\n"
        "and (\n"
        f"  {running} + {waiting} > 0\n"
        f"  or {progress} == 0 and on (cluster, namespace, service) {probe} == 0\n"
        ")",
        severity="page",
        cls="root",
        component="engine",
        summary="Engine hung: {{ $labels.service }} on {{ $labels.host }}",
        impact="Requests to this replica of {{ $labels.service }} wait and get no tokens, while /health still says ok.",
        action="On {{ $labels.host }}, save the stacks of the engine's threads (py-spy dump), then restart it.",
        description="{{ $labels.engine }} at {{ $labels.instance }} has work for {{ $labels.model }}, but its loop "
        "has not turned for " + duration(window) + ".",
        value="{{ $value | humanize }} steps/s",
        threshold="above 0 steps/s",
        board=_BOARD,
        pending=10,
        keep_firing=FLAP_SECONDS,
        hard=True,
        window=window,
        # A window without a turn may have begun one scrape before the last of them.
        soonest=window - timing.scrape_interval,
        hops=2,  # the probe's signal is recorded in the group `service`
        mutes=_MUTES,
        breaks_replica=True,
    )


def _not_loaded(timing: Timing) -> Alert:
    bridge = duration(timing.window(15))  # one missed scrape must not reset `for`
    return Alert(
        name="EngineModelNotLoaded",
        expr=f"last_over_time({signals.MODEL_LOADED.over(bridge)}) == 0",
        severity="ticket",
        cls="root",
        component="engine",
        summary="Model not loaded: {{ $labels.service }} on {{ $labels.host }}",
        impact="This replica of {{ $labels.service }} serves nobody; where it is needed, ServiceCapacityLost pages.",
        action="Read the engine's log from its last start: a wrong path, too little memory, or a download that hangs.",
        description="{{ $labels.engine }} at {{ $labels.instance }} runs, but has not had {{ $labels.model }} in "
        "memory for two minutes.",
        board=_BOARD,
        pending=120,
        keep_firing=120,
        breaks_replica=True,
    )
