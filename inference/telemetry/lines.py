"""What a request leaves in the logs: one line each. Numbers and names of ours, never a prompt or an answer."""

import logging
from typing import Any

from exporters.catalogue import labels
from inference.telemetry.ended import EndedRequest, Exchange

_log = logging.getLogger("inference.requests")
_OPERATORS = frozenset({"/health", "/ready", "/metrics"})


def log_request(exchange: Exchange) -> None:
    """One line for every request but the operator's own."""
    if exchange.path in _OPERATORS:
        return
    failed = labels.outcome(exchange.error_type) == "failed"
    about = facts(exchange) | (timings(exchange.generation) if exchange.generation else {})
    _log.log(logging.ERROR if failed else logging.INFO, "request", extra={"fields": about})


def facts(exchange: Exchange) -> dict[str, Any]:
    """Who asked for what, and what came of it; only what is known."""
    request = exchange.generation
    found: dict[str, Any] = {
        "method": exchange.method if exchange.method.isalpha() else "other",
        # Not the path: a client can write anything into it.
        "route": exchange.route or "none",
        "status": exchange.status,
        "error_type": exchange.error_type,
        "caller": exchange.caller,
        "client": exchange.client,
        "duration_seconds": round(exchange.ended - exchange.arrived, 6),
    }
    if request:
        found |= {
            "operation": request.operation,
            "outcome": labels.outcome(request.error_type),
            "rejection": request.rejection,
            "finish_reason": request.finish_reason,
            "response_id": request.response_id,
        }
        if request.prompt:
            found |= {"prompt_tokens": len(request.prompt.tokens), "generated_tokens": len(request.timeline.tokens)}
    return {name: value for name, value in found.items() if value != ""}


def timings(request: EndedRequest) -> dict[str, Any]:
    """How long its parts took, in seconds; only those that it came to."""
    found = {
        "queue_seconds": request.queue_time,
        "first_token_seconds": request.first_token,
        "per_output_token_seconds": request.per_output_token,
        "longest_gap_seconds": request.timeline.longest_gap or None,
    }
    return {name: round(value, 6) for name, value in found.items() if value is not None}
