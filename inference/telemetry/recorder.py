"""Telemetry through OpenTelemetry's SDK: metrics for Prometheus to scrape, spans for a collector.

Nothing here runs per token, and nothing here waits: what cannot be sent is dropped and counted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from exporters.catalogue import labels, llm
from inference.engine.engine import Snapshot
from inference.telemetry.ended import Dropped, Exchange
from inference.telemetry.exposition import Exposition
from inference.telemetry.instruments import views
from inference.telemetry.observed import Observed, Values
from inference.telemetry.requests import RequestMetrics
from inference.telemetry.tally import Steps
from inference.telemetry.tracing import SpanTrace, Tracing


@dataclass(frozen=True, slots=True)
class About:
    """What telemetry says about the service as a whole."""

    model: str
    """Its name: besides `other` the only value of model labels."""
    version: str = ""
    config_hash: str = ""
    gpus: Sequence[str] = ()
    """UUIDs of the GPUs that the engine computes on; empty where nobody says."""


class Recorder:
    """Records everything.

    Args:
        about: What is served.
        snapshot: Reads the engine; called at each scrape.
        steps: Is fed by the engine.
        collector: Base URL of the OTLP/HTTP collector that gets the spans; None to send none.
        lines_dropped: Reads how many log lines were lost on their way to a collector; empty where none are sent.
    """

    def __init__(
        self,
        about: About,
        snapshot: Callable[[], Snapshot],
        steps: Steps,
        collector: str | None = None,
        lines_dropped: Dropped = dict,
    ) -> None:
        reader = InMemoryMetricReader()
        # Not the global provider: two services in one process must not share counters.
        meter = MeterProvider([reader], views=views(), shutdown_on_exit=False).get_meter("inference")
        self._tracing = Tracing(about.model, about.version, about.gpus, collector)
        self._requests = RequestMetrics(meter, about.model)
        observed = Observed(meter, about.model, snapshot)
        observed.about(about.version, about.config_hash, about.gpus)
        observed.add(llm.SPANS_DROPPED, lambda: _by_reason(self._tracing.dropped))
        observed.add(llm.LOG_LINES_DROPPED, lambda: _by_reason(lines_dropped))
        tallies = {
            llm.INTER_TOKEN_LATENCY.name: self._requests.gaps,
            llm.STEP_TIME.name: steps.time,
            llm.BATCH_SIZE.name: steps.batch,
        }
        served = (about.model,)
        self._exposition = Exposition(
            reader, self._requests.expected(), {name: (served, tally) for name, tally in tallies.items()}
        )

    def began(self, exchange: Exchange, headers: Mapping[bytes, bytes]) -> SpanTrace | None:
        """A request came; its trace, which continues the one that the headers name. None where it is not traced."""
        return self._tracing.began(exchange, headers)

    def ended(self, exchange: Exchange) -> None:
        """Record a request; call once for each, after its response."""
        trace = exchange.trace if isinstance(exchange.trace, SpanTrace) else None
        self._requests.ended(exchange, trace.context if trace else None)
        if trace:
            self._tracing.ended(exchange, trace)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The metrics page and its Content-Type, in the format that the Accept header prefers."""
        return self._exposition.render(accept)

    def close(self, seconds: float) -> None:
        """Send what is left, for at most so long."""
        self._tracing.close(seconds)


def _by_reason(dropped: Dropped) -> Values:
    return [(count, {labels.REASON: reason}) for reason, count in dropped().items()]
