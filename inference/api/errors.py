"""Errors in OpenAI's shape, and the one place where requests that failed before their first byte are recorded.

    {"error": {"message": ..., "type": ..., "param": ..., "code": ...}}

A message never repeats what the client sent: prompts must not reach logs.
"""

import time
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from inference.api.service import Service
from inference.telemetry.ended import EndedRequest, Operation

GENERATING: dict[str, Operation] = {"/v1/chat/completions": "chat", "/v1/completions": "text_completion"}
"""Paths that generate, and their gen_ai.operation.name."""

_TYPES = {429: "rate_limit_error", 500: "server_error", 503: "service_unavailable_error"}

_RETRY_AFTER_SECONDS = {429: "1", 503: "5"}
"""When another try makes sense: a queue moves quickly, a model takes a while to load."""


class ApiError(HTTPException):
    """A request that fails before its first byte.

    Args:
        status_code: For HTTP.
        error_type: For telemetry: one of labels.ERROR_TYPES.
        message: For the client: what is wrong and what to do.
        code: OpenAI's machine-readable code, or None.
        param: The field that is wrong, or None.
    """

    def __init__(
        self,
        status_code: int,
        error_type: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        headers = {"Retry-After": _RETRY_AFTER_SECONDS[status_code]} if status_code in _RETRY_AFTER_SECONDS else None
        super().__init__(status_code, message, headers)
        self.error_type = error_type
        self.code = code
        self.param = param


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """A request that can never succeed as it is."""
    return ApiError(400, "invalid_request", message, param=param, code=code)


def error_body(status_code: int, message: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """OpenAI's error object."""
    kind = _TYPES.get(status_code, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def install(app: FastAPI) -> None:
    """Answer every error of the application in OpenAI's shape."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(Exception, _unexpected)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = param = None
    if isinstance(error, ApiError):
        code, param = error.code, error.param
        _record(request, error.error_type)
    body = error_body(error.status_code, str(error.detail), code, param)
    return JSONResponse(body, error.status_code, headers=error.headers)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    _record(request, "invalid_request")
    first = error.errors()[0]
    # Without the body marker, and without positions in broken JSON.
    param = ".".join(str(part) for part in first["loc"][1:] if isinstance(part, str)) or None
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "model_attributes_type":
        # pydantic's words for it do not tell that a missing header makes JSON a mere string.
        message = "the body must be a JSON object, sent with Content-Type: application/json"
    return JSONResponse(error_body(400, f"{param}: {message}" if param else message, param=param), 400)


async def _unexpected(request: Request, _error: Exception) -> JSONResponse:
    _record(request, "internal_error")
    return JSONResponse(error_body(500, "an unexpected error; the service's log has it"), 500)


def _record(request: Request, error_type: str) -> None:
    operation = GENERATING.get(request.url.path)
    if operation is None:
        return
    service: Service = request.app.state.service
    model = getattr(request.state, "model", None)
    duration = time.monotonic() - request.state.arrived
    service.telemetry.request_ended(EndedRequest(operation, model, error_type, duration))
