"""GET /health, /ready and /metrics: for whoever runs the service. All answer while the engine hangs.

HEAD asks for a status alone: some load balancers do.
"""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from inference.api.service import ServiceDependency
from inference.engine.engine import Phase

router = APIRouter()

_NOT: dict[int | str, dict[str, Any]] = {503: {"description": "It is not; the body says why."}}


@router.head("/health", include_in_schema=False)
@router.get("/health", responses=_NOT)
async def health(service: ServiceDependency) -> JSONResponse:
    """200 while the process can still recover by itself; 503 once its engine is dead. A hang does not show here."""
    engine = service.engine.snapshot()
    if engine.phase is Phase.DEAD:
        return JSONResponse({"status": "dead", "reason": engine.reason}, 503)
    return JSONResponse({"status": "ok"})


@router.head("/ready", include_in_schema=False)
@router.get("/ready", responses=_NOT)
async def ready(service: ServiceDependency) -> JSONResponse:
    """200 while the model is loaded and the engine turns; else 503 with the reason."""
    engine = service.engine.snapshot()
    reason = engine.reason
    if engine.phase is Phase.SERVING and engine.since_turn_seconds > service.ready_stall_seconds:
        reason = f"the engine has not turned for {engine.since_turn_seconds:.0f} s"
    if reason:
        return JSONResponse({"status": "not ready", "reason": reason}, 503)
    return JSONResponse({"status": "ready"})


@router.get("/metrics")
async def metrics(request: Request, service: ServiceDependency) -> Response:
    """Prometheus text, or OpenMetrics where the Accept header asks for it; 404 where telemetry is off."""
    page = service.telemetry.render(request.headers.get("accept", ""))
    if page is None:
        return JSONResponse({"detail": "telemetry is switched off (OTEL_SDK_DISABLED)"}, 404)
    content, content_type = page
    return Response(content, headers={"Content-Type": content_type})
