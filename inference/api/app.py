"""Puts the HTTP application together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from inference.api import breaking, errors, generating, operating
from inference.api.arrival import Arrival
from inference.api.service import Service

_ENGINE_STOP_SECONDS = 5.0
"""A step that takes longer is not waited for: the thread ends with the process."""


def create_app(service: Service) -> FastAPI:
    """The application; its engine starts and stops with it."""
    app = FastAPI(title="Inferwatch inference", lifespan=_lifespan, docs_url=None, redoc_url=None)
    app.state.service = service
    errors.install(app)
    app.include_router(generating.router)
    app.include_router(operating.router)
    if service.faults_enabled:
        app.include_router(breaking.router)
    app.add_middleware(Arrival, max_body_bytes=service.max_body_bytes)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    service.engine.start()
    yield
    # First the faults: a hang that was injected must not hold up the end.
    service.faults.clear()
    service.engine.stop(_ENGINE_STOP_SECONDS)
