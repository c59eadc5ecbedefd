"""What the routes work with: one object, made at start, passed to every route."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from inference.engine.engine import Engine
from inference.faults import Faults
from inference.telemetry.ended import Telemetry


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of one running service and what the routes must know of its settings."""

    model_name: str
    engine: Engine
    telemetry: Telemetry
    faults: Faults
    faults_enabled: bool
    """Whether the fault API exists."""
    created: int
    """When the service started, in seconds since the epoch."""
    default_max_tokens: int
    max_prompt_tokens: int | None
    """None for as many as fit the context."""
    ready_stall_seconds: float


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDependency = Annotated[Service, Depends(_service)]
"""A route parameter that receives the service."""
