"""Who may come in, and how often: checked before the body is read."""

import ipaddress
import math
import time
from collections.abc import Mapping

from fastapi.responses import JSONResponse
from limits import RateLimitItem
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from inference.api.errors import GENERATING, ApiError, respond
from inference.api.keys import KeyFile
from inference.telemetry.ended import Exchange

_GUARDED = "/v1/"
"""What lies below it needs a key; health and metrics are for the operator's own network."""


class Gate:
    """ASGI middleware that refuses requests without a key and those above the rate.

    Args:
        app: What comes next.
        keys: Who may come in; None for everybody.
        rate: Requests for text in a time, for each key, or for each address where there are no keys; None for any.
    """

    def __init__(self, app: ASGIApp, keys: KeyFile | None, rate: RateLimitItem | None) -> None:
        self._app = app
        self._keys = keys
        self._rate = rate
        # Begins with a caller's first request and is forgotten at its end: this library's moving window keeps every
        # address that ever came.
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] == "http" and scope["path"].startswith(_GUARDED):
            exchange: Exchange = scope["state"]["exchange"]
            if refused := self._refused(scope, exchange):
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refused(self, scope: Scope, exchange: Exchange) -> JSONResponse | None:
        if self._keys:
            caller = self._keys.name_of(_bearer(dict(scope["headers"])))
            if caller is None:
                message = "no valid API key: send one as 'Authorization: Bearer <key>'"
                error = ApiError(401, "unauthorized", message, code="invalid_api_key", rejection="unauthorized")
                return respond(exchange, error, {"WWW-Authenticate": "Bearer"})
            exchange.caller = caller
        if self._rate and exchange.path in GENERATING:
            who = f"key {exchange.caller}" if self._keys else f"address {_holder(exchange.client)}"
            if not self._limiter.hit(self._rate, who):
                message = f"more than {self._rate.amount} requests in {self._rate.get_expiry()} s; try again later"
                error = ApiError(429, "rate_limited", message, code="rate_limit_exceeded", rejection="rate_limited")
                return respond(exchange, error, {"Retry-After": self._wait(self._rate, who)})
        return None

    def _wait(self, rate: RateLimitItem, who: str) -> str:
        free = self._limiter.get_window_stats(rate, who).reset_time
        return str(max(1, math.ceil(free - time.time())))


def _holder(address: str) -> str:
    """An IPv4 address, or the network of an IPv6 one: one host has all 2^64 addresses of it to choose from."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


def _bearer(headers: Mapping[bytes, bytes]) -> str:
    kind, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""
