"""Everything that Prometheus watches dies at once, but for the alerting itself: one page, not one for each part."""

from alerts.drills.calls import until_it_answers
from alerts.drills.drill import PAGE, Drill
from alerts.drills.stack import Stack

PARTS = ("inference", "gpu-exporter", "node-exporter", "probe")
"""All that is scraped, without what the alerting is made of."""


def _inject(stack: Stack) -> None:
    for part in PARTS:
        stack.hold(part)
        stack.kill(part)


def _mend(stack: Stack) -> None:
    """One by one, the engine first: were most of it back while a model still loads, that engine would page rightly."""
    for part in PARTS:
        stack.release(part)
        until_it_answers(stack.url(part))


DRILL = Drill(
    name="prometheus_is_cut_off",
    story="SIGKILL the engine, the exporters and the prober, and hold their restarts.",
    alert="PrometheusIsolated",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Cut off", "cluster default"),
)
