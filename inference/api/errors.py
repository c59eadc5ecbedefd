"""Errors in OpenAI's shape, and the one place where requests that failed before their first byte are recorded.

    {"error": {"message": ..., "type": ..., "param": ..., "code": ...}}

A message never repeats what the client sent: prompts must not reach logs.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from inference.engine.generation import Timeline
from inference.telemetry.ended import EndedRequest, Exchange, Operation

GENERATING: dict[str, Operation] = {"/v1/chat/completions": "chat", "/v1/completions": "text_completion"}
"""Paths that generate, and their gen_ai.operation.name."""

_TYPES = {429: "rate_limit_error", 500: "server_error", 504: "server_error", 503: "service_unavailable_error"}

_RETRY_AFTER_SECONDS = {429: "1", 503: "5"}
"""When another try makes sense: a queue moves quickly, a model takes a while to load."""


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    """For people: what is wrong and what to do."""
    type: str
    param: str | None
    """The field that is wrong."""
    code: str | None
    """For programs."""


class ErrorBody(BaseModel):
    """OpenAI's error object."""

    error: ErrorDetail


RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorBody, "description": "The request cannot be served as it is, or not now (429)."},
    "5XX": {"model": ErrorBody, "description": "The service cannot serve it."},
}
"""What the OpenAPI document says of errors; without it FastAPI would promise a 422 that never comes."""


class ApiError(HTTPException):
    """A request that fails before its first byte.

    Args:
        status_code: For HTTP.
        error_type: For telemetry: one of labels.ERROR_TYPES.
        message: For the client: what is wrong and what to do.
        code: OpenAI's machine-readable code, or None.
        param: The field that is wrong, or None.
        rejection: One of llm.REJECTION_REASONS where the request never comes into the queue for it.
    """

    def __init__(  # noqa: PLR0913 - two are for HTTP, two for OpenAI's shape, two for telemetry
        self,
        status_code: int,
        error_type: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        rejection: str = "",
    ) -> None:
        headers = {"Retry-After": _RETRY_AFTER_SECONDS[status_code]} if status_code in _RETRY_AFTER_SECONDS else None
        super().__init__(status_code, message, headers)
        self.error_type = error_type
        self.code = code
        self.param = param
        self.rejection = rejection


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """A request that can never succeed as it is."""
    return ApiError(400, "invalid_request", message, param=param, code=code, rejection="invalid_request")


def error_body(status_code: int, message: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """OpenAI's error object."""
    kind = _TYPES.get(status_code, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def install(app: FastAPI) -> None:
    """Answer every error of the application in OpenAI's shape."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)


def respond(exchange: Exchange, error: ApiError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer to a request that failed; notes it down."""
    _note(exchange, error.error_type, error.rejection)
    body = error_body(error.status_code, str(error.detail), error.code, error.param)
    return JSONResponse(body, error.status_code, {**(error.headers or {}), **(headers or {})})


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    exchange: Exchange = request.state.exchange
    if isinstance(error, ApiError):
        return respond(exchange, error)
    # The framework's own: a path or method that does not exist, a body that cannot be read.
    _note(exchange, "invalid_request", "invalid_request")
    return JSONResponse(error_body(error.status_code, str(error.detail)), error.status_code, headers=error.headers)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    _note(request.state.exchange, "invalid_request", "invalid_request")
    param, message = _first_problem(error)
    return JSONResponse(error_body(400, f"{param}: {message}" if param else message, param=param), 400)


def _first_problem(error: RequestValidationError) -> tuple[str | None, str]:
    """The field that is wrong, None for the body as a whole, and what is wrong with it."""
    errors = error.errors()
    # Of a field that may be one of several things pydantic tells what each finds wrong; the deepest one fits best.
    found = max((one for one in errors if one["loc"][:2] == errors[0]["loc"][:2]), key=lambda one: len(one["loc"]))
    # Without the body marker, positions, and pydantic's own names for what it tried.
    names = [part for part in found["loc"][1:] if isinstance(part, str) and part.isidentifier()]
    param = ".".join(names) or found.get("ctx", {}).get("param")
    if found["loc"] == ("body",) and found["type"] in ("missing", "model_attributes_type"):
        # pydantic's words for it do not tell that a missing header makes JSON a mere string.
        return None, "the body must be a JSON object, sent with Content-Type: application/json"
    return param, str(found["msg"]).removeprefix("Value error, ")


def _note(exchange: Exchange, error_type: str, rejection: str) -> None:
    operation = GENERATING.get(exchange.path)
    # Where it was in the engine, its answer has noted more than is known here.
    if exchange.generation and error_type == "internal_error":
        exchange.generation = replace(exchange.generation, error_type=error_type)
    elif operation and exchange.generation is None:
        exchange.generation = EndedRequest(
            operation, exchange.model, error_type, Timeline(exchange.arrived), time.monotonic(), rejection=rejection
        )
