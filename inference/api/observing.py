"""The outermost layer: notes when a request came and how it ended, and hands that to telemetry and the logs.

Also here, because every answer passes: headers for security and the trace id, and the answer to what nobody expected.
"""

import logging
import time
from collections.abc import Callable, Sequence

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.api.errors import ApiError, respond
from inference.telemetry.ended import Exchange, Telemetry
from inference.telemetry.logs import TRACE

_log = logging.getLogger(__name__)

_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
]
"""Answers are data: no browser may take them for a page. OWASP's list for REST services."""
TRACE_HEADERS = ("X-Trace-Id", "X-Request-Id")
"""The second is what OpenAI's clients show as the request's id."""


class Observing:
    """ASGI middleware.

    Args:
        app: What comes next.
        telemetry: Is told of every request, when it came and when it ended.
        paths: Those that exist, as they are; others are named by their route's pattern or not at all.
        ended: Called with every request that ended: the logs.
    """

    def __init__(
        self,
        app: ASGIApp,
        telemetry: Telemetry,
        paths: frozenset[str],
        ended: Sequence[Callable[[Exchange], None]],
    ) -> None:
        self._app = app
        self._telemetry = telemetry
        self._paths = paths
        self._ended = (telemetry.ended, *ended)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = self._arrived(scope)
        headers = _headers(exchange)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        token = TRACE.set(exchange.trace)
        try:
            await self._answer(exchange, scope, receive, sending)
        finally:
            exchange.ended = time.monotonic()
            exchange.route = self._route(scope)
            self._tell(exchange)
            TRACE.reset(token)

    def _arrived(self, scope: Scope) -> Exchange:
        client = scope.get("client")
        exchange = Exchange(
            method=scope["method"],
            path=scope["path"],
            client=client[0] if client else "",
            arrived=time.monotonic(),
            arrived_ns=time.time_ns(),
        )
        scope.setdefault("state", {})["exchange"] = exchange
        try:
            exchange.trace = self._telemetry.began(exchange, dict(scope["headers"]))
        except Exception:  # noqa: BLE001 - whatever is wrong with telemetry, the client gets its answer
            _log.exception("telemetry failed at the begin of a request")
        return exchange

    async def _answer(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            return
        except Exception:
            _log.exception("an unexpected error")
            error = ApiError(500, "internal_error", "an unexpected error; the service's log has it")
            response = respond(exchange, error)
            if exchange.status:
                # Too late for another status: closing the connection tells the client that the answer is not whole.
                raise
            await response(scope, receive, send)

    def _tell(self, exchange: Exchange) -> None:
        for tell in self._ended:
            try:
                tell(exchange)
            except Exception:  # noqa: BLE001 - whatever is wrong with telemetry, the client gets its answer
                _log.exception("telemetry failed at the end of a request")

    def _route(self, scope: Scope) -> str:
        if scope["path"] in self._paths:
            return str(scope["path"])
        return str(getattr(scope.get("route"), "path", ""))


def _headers(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    if exchange.trace is None:
        return _SECURITY
    trace_id = exchange.trace.trace_id.encode()
    return [*_SECURITY, *((name.lower().encode(), trace_id) for name in TRACE_HEADERS)]
