"""Requests to record, and what was recorded of them."""

import time
from typing import Any

import pytest

from exporters.catalogue.metric import Metric
from inference.engine.generation import Prompt, Timeline
from inference.telemetry.ended import EndedRequest, Exchange


class Making:
    """Requests as the API would hand them over; all came at 100 s of the clock, which was second 1000 of the epoch."""

    @staticmethod
    def timeline(admitted: float | None = None, tokens: tuple[float, ...] = (), **more: Any) -> Timeline:
        """Times are seconds after the arrival."""
        return Timeline(
            100.0, None if admitted is None else 100.0 + admitted, [100.0 + token for token in tokens], **more
        )

    def generation(self, error_type: str = "", ended: float = 1.0, **more: Any) -> EndedRequest:
        """What became of a request for a chat; `model` and all else can be had otherwise."""
        return EndedRequest(
            **{
                "operation": "chat",
                "model": "m",
                "error_type": error_type,
                "timeline": self.timeline(),
                "ended": 100.0 + ended,
            }
            | more
        )

    def exchange(self, generation: EndedRequest | None = None, status: int = 200, **more: Any) -> Exchange:
        """An HTTP request that took a second."""
        path = "/v1/chat/completions"
        exchange = Exchange("POST", path, arrived=100.0, arrived_ns=1000 * 10**9, ended=101.0, route=path)
        exchange.status, exchange.generation = status, generation
        for name, value in more.items():
            setattr(exchange, name, value)
        return exchange

    def ended(self, recorder: Any, *args: Any, headers: dict[bytes, bytes] | None = None, **more: Any) -> Exchange:
        """Record a request from its begin to its end."""
        exchange = self.exchange(self.generation(*args, **more))
        exchange.trace = recorder.began(exchange, headers or {})
        recorder.ended(exchange)
        return exchange

    prompt = Prompt((1, 2, 3), max_tokens=16, temperature=0.0, seed=7)

    @staticmethod
    def until(holds: Any, seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "the expected state did not come in time"
            time.sleep(0.02)


@pytest.fixture
def making() -> Making:
    return Making()


@pytest.fixture
def values_of():
    """Read values from a page of metrics."""
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    def read(recorder: Any, name: Metric | str, **wanted: str) -> list[float]:
        content, _ = recorder.render("application/openmetrics-text; version=1.0.0")
        return [
            one.value
            for family in text_string_to_metric_families(content.decode())
            for one in family.samples
            if one.name == str(name) and wanted.items() <= one.labels.items()
        ]

    return read
