"""Prometheus dies and stays down, so that no rule is evaluated any more: only the dead man's switch can tell."""

from alerts.drills.drill import PAGE, Drill
from alerts.drills.stack import Stack
from alerts.timing import Timing


def _inject(stack: Stack) -> None:
    stack.hold("prometheus")
    stack.kill("prometheus")


def _mend(stack: Stack) -> None:
    stack.release("prometheus")


def _silence(timing: Timing) -> float:
    """Seconds until the heartbeat has ended and the switch has waited.

    Alertmanager keeps the last Watchdog for four of Prometheus' sends, and passes it on at each heartbeat
    interval until then; the switch waits for three intervals.
    """
    return 4 * max(timing.evaluation_interval, timing.resend_delay) + 3 * timing.heartbeat_interval


DRILL = Drill(
    name="alerting_goes_blind",
    story="SIGKILL Prometheus and hold its restart; the dead man's switch must page by its own means.",
    alert="Watchdog",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("heartbeat",),
    extra_bound=_silence,
)
