"""The fault API, /admin/faults: breaks this service on demand. It exists only where a setting says so."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from inference.api.errors import RESPONSES, invalid
from inference.api.service import ServiceDependency
from inference.faults import FaultKind, InvalidFaultError, kind_named


async def _refuse_forwarded(request: Request) -> None:
    """Whoever comes through a proxy is not the operator on this machine."""
    if "x-forwarded-for" in request.headers:
        raise HTTPException(403, "the fault API takes no forwarded requests")


router = APIRouter(prefix="/admin/faults", dependencies=[Depends(_refuse_forwarded)], responses=RESPONSES)


class FaultBody(BaseModel):
    """How a fault acts; all of it may be left out."""

    model_config = ConfigDict(extra="forbid")

    ratio: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the requests that it hits."""
    seconds: Annotated[float, Field(gt=0)] | None = None
    """Then it ends by itself."""
    count: Annotated[int, Field(ge=1)] | None = None
    """After so many hits it ends by itself."""


@router.get("")
async def active(service: ServiceDependency) -> list[dict[str, Any]]:
    """The faults that are on, with what is left of them."""
    return [
        {"name": fault.kind.name, "ratio": fault.ratio, "seconds": fault.seconds_left, "count": fault.count}
        for fault in service.faults.active()
    ]


@router.put("/{name}", status_code=204, response_class=Response)
async def switch_on(name: str, service: ServiceDependency, body: FaultBody | None = None) -> None:
    """Switch a fault on."""
    kind = _kind(name)
    body = body or FaultBody()
    if foreign := sorted(body.model_fields_set - kind.takes):
        raise invalid(f"{name} does not take {foreign[0]}; it takes {', '.join(sorted(kind.takes))}", foreign[0])
    service.faults.switch_on(kind, body.ratio, body.seconds, body.count)


@router.delete("/{name}", status_code=204, response_class=Response)
async def switch_off(name: str, service: ServiceDependency) -> None:
    """Switch a fault off, whether it is on or not."""
    service.faults.switch_off(_kind(name))


def _kind(name: str) -> FaultKind:
    try:
        return kind_named(name)
    except InvalidFaultError as error:
        raise HTTPException(404, str(error)) from None
