"""The engine and the service in numbers, read when somebody scrapes. Right also while the engine hangs."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from exporters.catalogue import labels, llm
from exporters.catalogue.metric import Metric
from inference.engine.engine import Phase, Snapshot
from inference.telemetry.instruments import otel_name

Values = Iterable[tuple[float, Mapping[str, str]]]
"""Each with its attributes."""


class Observed:
    """What is read at a scrape.

    Args:
        meter: Makes the instruments.
        model: The served model's name.
        snapshot: Reads the engine.
    """

    def __init__(self, meter: Meter, model: str, snapshot: Callable[[], Snapshot]) -> None:
        self._meter = meter
        self._snapshot = snapshot
        self._of_model = {labels.MODEL: model}
        for metric, read in _OF_ENGINE:
            self._of_engine(metric, read)

    def about(self, version: str, config_hash: str, gpus: Sequence[str]) -> None:
        """Also say what runs here, and where."""
        build = self._of_model | {labels.VERSION: version, labels.CONFIG_HASH: config_hash}
        self.add(llm.BUILD_INFO, lambda: [(1, build | {labels.FINGERPRINT: self._snapshot().fingerprint})])
        self.add(llm.GPU_INFO, lambda: [(1, {labels.UUID: uuid}) for uuid in gpus])

    def add(self, metric: Metric, read: Callable[[], Values]) -> None:
        """Observe a counter, gauge or info of the catalogue."""

        def callback(_options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(value, attributes) for value, attributes in read()]

        create = (
            self._meter.create_observable_counter if metric.type == "counter" else self._meter.create_observable_gauge
        )
        create(otel_name(metric), [callback], description=metric.help)

    def _of_engine(self, metric: Metric, read: Callable[[Snapshot], float | None]) -> None:
        def values() -> Values:
            value = read(self._snapshot())
            return [] if value is None else [(value, self._of_model)]

        self.add(metric, values)


_OF_ENGINE: tuple[tuple[Metric, Callable[[Snapshot], float | None]], ...] = (
    (llm.RUNNING, lambda engine: engine.running),
    (llm.WAITING, lambda engine: engine.waiting),
    (llm.MODEL_LOADED, lambda engine: int(engine.phase is Phase.SERVING)),
    (llm.PROMPT_TOKENS, lambda engine: engine.prompt_tokens),
    (llm.GENERATED_TOKENS, lambda engine: engine.generated_tokens),
    (llm.ENGINE_STEPS, lambda engine: engine.steps),
    (llm.ENGINE_RESTARTS, lambda engine: engine.restarts),
    (llm.PREEMPTIONS, lambda engine: engine.preemptions),
    (llm.KV_CACHE_CAPACITY, lambda engine: engine.kv_capacity_tokens or None),
    (
        llm.KV_CACHE_USAGE,
        lambda engine: engine.kv_used_tokens / engine.kv_capacity_tokens if engine.kv_capacity_tokens else None,
    ),
)
"""None is no sample."""
