"""A request's spans below HTTP: `chat {model}` and in it queue, prefill and decode, made after the fact."""

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.util.types import AttributeValue

from exporters.catalogue import labels
from inference.engine.generation import Timeline
from inference.telemetry.ended import EndedRequest
from inference.telemetry.instruments import ERROR_TYPE, OPERATION, PROVIDER, PROVIDER_NAME, REQUEST_MODEL

Attributes = dict[str, AttributeValue]


class PhaseSpans:
    """Makes the spans of requests that came into the queue; one that was refused has only its HTTP span."""

    def __init__(self, tracer: Tracer, model: str, gpus: Sequence[str]) -> None:
        self._tracer = tracer
        self._model = model
        self._gpus = gpus

    def make(self, request: EndedRequest, parent: Context, offset: int) -> None:
        """Make them all.

        Args:
            request: What was recorded of it.
            parent: Holds its HTTP span.
            offset: From the engine's clock to the wall clock, in nanoseconds.
        """
        if request.prompt is None:
            return

        def at(moment: float) -> int:
            return round(moment * 1e9) + offset

        name = f"{request.operation} {self._model}"
        attributes = self._attributes(request)
        span = self._tracer.start_span(
            name, parent, SpanKind.INTERNAL, attributes, start_time=at(request.timeline.arrived)
        )
        below = set_span_in_context(span)
        for phase, begin, end, more in _phases(request, self._gpus):
            self._tracer.start_span(phase, below, SpanKind.INTERNAL, more, start_time=at(begin)).end(at(end))
        if labels.outcome(request.error_type) == "failed":
            span.set_status(StatusCode.ERROR)
        span.end(at(request.ended))

    def _attributes(self, request: EndedRequest) -> Attributes:
        assert request.prompt
        prompt, timeline = request.prompt, request.timeline
        attributes: dict[str, AttributeValue | None] = {
            OPERATION: request.operation,
            PROVIDER: PROVIDER_NAME,
            REQUEST_MODEL: self._model,
            "gen_ai.response.model": self._model,
            "gen_ai.response.id": request.response_id or None,
            "gen_ai.response.finish_reasons": [request.finish_reason] if request.finish_reason else None,
            "gen_ai.response.time_to_first_chunk": request.first_token,
            "gen_ai.request.max_tokens": prompt.max_tokens,
            "gen_ai.request.temperature": prompt.temperature,
            "gen_ai.request.top_p": prompt.top_p,
            "gen_ai.request.seed": prompt.seed,
            "gen_ai.request.stream": request.streamed,
            "gen_ai.usage.input_tokens": len(prompt.tokens),
            "gen_ai.usage.output_tokens": len(timeline.tokens),
            "llm.preemptions": timeline.preemptions,
            ERROR_TYPE: request.error_type or None,
        }
        return _known(attributes | _batch(timeline))


def _phases(request: EndedRequest, gpus: Sequence[str]) -> list[tuple[str, float, float, Attributes]]:
    """Name, begin, end and attributes of each phase that the request came to."""
    timeline = request.timeline
    first = timeline.tokens[0] if timeline.tokens else None
    phases: list[tuple[str, float, float, Attributes]] = [
        ("queue", timeline.arrived, timeline.admitted or request.ended, {})
    ]
    if timeline.admitted is not None:
        gpu: dict[str, AttributeValue | None] = {
            "hw.id": list(gpus) or None,
            "llm.gpu.memory.used": timeline.gpu_memory_used_bytes,
        }
        phases.append(("prefill", timeline.admitted, first or request.ended, _known(gpu)))
    if first is not None:
        gap: dict[str, AttributeValue | None] = {
            "llm.token_gap.max": timeline.longest_gap or None,
            "llm.token_gap.reason": timeline.longest_gap_reason,
        }
        phases.append(("decode", first, timeline.tokens[-1], _known(gap)))
    return phases


def _batch(timeline: Timeline) -> dict[str, AttributeValue | None]:
    if not (sizes := timeline.batch_sizes):
        return {}
    return {
        "llm.batch.size.min": min(sizes),
        "llm.batch.size.mean": sum(sizes) / len(sizes),
        "llm.batch.size.max": max(sizes),
    }


def _known(attributes: dict[str, AttributeValue | None]) -> Attributes:
    """Without those that are not known: an attribute that is absent is honest, an empty one is not."""
    return {name: value for name, value in attributes.items() if value is not None and value != ""}
