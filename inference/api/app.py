"""Puts the HTTP application together."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from limits import RateLimitItem
from starlette.middleware.cors import CORSMiddleware

from inference.api import breaking, errors, generating, operating
from inference.api.bounding import BoundedBody
from inference.api.gate import Gate
from inference.api.keys import KeyFile
from inference.api.observing import TRACE_HEADERS, Observing
from inference.api.service import Service
from inference.telemetry.ended import Exchange

_ENGINE_STOP_SECONDS = 5.0
"""A step that takes longer is not waited for: the thread ends with the process."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """What a request meets before a route."""

    max_body_bytes: int
    client_seconds: float
    """A client that needs longer to send its request gets 408."""
    keys: KeyFile | None = None
    rate: RateLimitItem | None = None
    cors_origins: Sequence[str] = ()
    """Origins whose pages may call; none by default."""
    ended: Sequence[Callable[[Exchange], None]] = ()
    """Told of every request that ended, beside telemetry."""


def create_app(service: Service, entrance: Entrance) -> FastAPI:
    """The application; its engine starts and stops with it."""
    app = FastAPI(
        title="Inferwatch inference", lifespan=_lifespan, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.state.service = service
    errors.install(app)
    app.include_router(generating.router)
    app.include_router(operating.router)
    if service.faults_enabled:
        app.include_router(breaking.router)
    # The last one that is added is the first that a request meets.
    app.add_middleware(BoundedBody, max_body_bytes=entrance.max_body_bytes, seconds=entrance.client_seconds)
    app.add_middleware(Gate, keys=entrance.keys, rate=entrance.rate)
    if entrance.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(entrance.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "traceparent", "tracestate"],
            expose_headers=[*TRACE_HEADERS, "Retry-After"],
        )
    paths = frozenset(str(path) for path in app.openapi()["paths"] if "{" not in path) | {"/openapi.json"}
    app.add_middleware(Observing, telemetry=service.telemetry, paths=paths, ended=entrance.ended)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    service.engine.start()
    yield
    # First the faults: a hang that was injected must not hold up the end.
    service.faults.clear()
    service.engine.stop(_ENGINE_STOP_SECONDS)
