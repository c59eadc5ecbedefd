"""The service's measurements: the engine is observed when somebody scrapes, a request is recorded when it ends.

Nothing here runs per token. Label values that a client can choose fold into one.
"""

from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from exporters.catalogue import labels, llm
from inference.engine.engine import Phase, Snapshot
from inference.telemetry.ended import OPERATIONS, EndedRequest
from inference.telemetry.exposition import Exposition
from inference.telemetry.instruments import (
    ERROR_TYPE,
    MODEL,
    OPERATION,
    PROVIDER,
    REQUEST_MODEL,
    otel_name,
    views,
)

PROVIDER_NAME = "inferwatch"
OTHER_MODEL = "other"
"""Every model name that is not served."""


class Recorder:
    """Telemetry through OpenTelemetry's SDK.

    Args:
        model: The served model's name: besides `other` the only value of model labels.
        snapshot: Reads the engine; called at each scrape.
    """

    def __init__(self, model: str, snapshot: Callable[[], Snapshot]) -> None:
        self._model = model
        self._snapshot = snapshot
        reader = InMemoryMetricReader()
        # Not the global provider: two services in one process must not share counters.
        provider = MeterProvider([reader], views=views(), shutdown_on_exit=False)
        self._meter = provider.get_meter("inference")
        self._duration, self._first_token, self._per_token = (
            self._meter.create_histogram(otel_name(metric), unit="s", description=metric.help)
            for metric in (llm.REQUEST_DURATION, llm.TIME_TO_FIRST_TOKEN, llm.TIME_PER_OUTPUT_TOKEN)
        )
        self._errors = self._meter.create_counter(
            otel_name(llm.REQUEST_ERRORS), unit="{request}", description=llm.REQUEST_ERRORS.help
        )
        self._start_at_zero()
        self._observe_engine()
        self._exposition = Exposition(reader, self._expected())

    def request_ended(self, request: EndedRequest) -> None:
        """Record a request; call once for each."""
        model = request.model if request.model == self._model else OTHER_MODEL
        attributes = {OPERATION: request.operation, PROVIDER: PROVIDER_NAME, REQUEST_MODEL: model}
        self._duration.record(request.duration, attributes | {ERROR_TYPE: request.error_type})
        if request.first_token is not None:
            self._first_token.record(request.first_token, attributes)
        if request.error_type:
            self._errors.add(1, {MODEL: model, ERROR_TYPE: request.error_type})
        elif request.per_output_token is not None:
            self._per_token.record(request.per_output_token, attributes)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The metrics page and its Content-Type, in the format that the Accept header prefers."""
        return self._exposition.render(accept)

    def _start_at_zero(self) -> None:
        """A counter that appears with its first event shows no increase for it."""
        for error_type in labels.ERROR_TYPES:
            self._errors.add(0, {MODEL: self._model, ERROR_TYPE: error_type})
        self._errors.add(0, {MODEL: OTHER_MODEL, ERROR_TYPE: "invalid_request"})

    def _expected(self) -> dict[str, list[tuple[str, ...]]]:
        series = [(operation, PROVIDER_NAME, self._model) for operation in OPERATIONS]
        return {
            llm.REQUEST_DURATION.name: [(*values, "") for values in series],
            llm.TIME_TO_FIRST_TOKEN.name: list(series),
            llm.TIME_PER_OUTPUT_TOKEN.name: list(series),
        }

    def _observe_engine(self) -> None:
        gauge, counter = self._meter.create_observable_gauge, self._meter.create_observable_counter
        self._observed = [
            create(otel_name(metric), [self._callback(read)], description=metric.help)
            for create, metric, read in (
                (gauge, llm.RUNNING, lambda engine: engine.running),
                (gauge, llm.WAITING, lambda engine: engine.waiting),
                (gauge, llm.MODEL_LOADED, lambda engine: int(engine.phase is Phase.SERVING)),
                (counter, llm.PROMPT_TOKENS, lambda engine: engine.prompt_tokens),
                (counter, llm.GENERATED_TOKENS, lambda engine: engine.generated_tokens),
                (counter, llm.ENGINE_STEPS, lambda engine: engine.steps),
            )
        ]

    def _callback(self, read: Callable[[Snapshot], int]) -> Callable[[CallbackOptions], Iterable[Observation]]:
        return lambda _options: [Observation(read(self._snapshot()), {MODEL: self._model})]
