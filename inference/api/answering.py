"""From an admitted prompt to the last byte of its answer, and the note of what became of it.

Whatever happens here (a client that leaves, an engine that dies), the generation is cancelled and noted once.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from inference.api.errors import ApiError, error_body
from inference.api.formats import Format, Usage
from inference.api.service import Service
from inference.engine.generation import Event, Failed, Finished, Generation, Text
from inference.faults import STREAM_CUT
from inference.telemetry.ended import EndedRequest, Exchange

_T = TypeVar("_T")
_DISCONNECTED = "client_disconnect"
_STOPPED = "engine_dead"
"""The service ended before the answer did."""


class Answer:
    """One request that the engine has taken."""

    def __init__(self, service: Service, generation: Generation, form: Format, exchange: Exchange) -> None:
        self._service = service
        self._exchange = exchange
        self._generation = generation
        self._format = form
        self._error_type = _DISCONNECTED
        """How it ended; until it has, what it means if nothing more comes."""
        self._finish_reason = ""
        self._streamed = False

    @property
    def usage(self) -> Usage:
        """Tokens so far."""
        return Usage(len(self._generation.prompt.tokens), len(self._generation.tokens))

    async def whole(self, request: Request) -> Response:
        """Answer in one piece.

        Raises:
            ApiError: The engine failed, or the client left.
        """
        try:
            texts, last = await _unless_disconnected(request, self._collect())
            self._ended(last)
        except asyncio.CancelledError:
            self._error_type = _STOPPED
            raise
        finally:
            self._close()
        if isinstance(last, Failed):
            raise _failure(last)
        return JSONResponse(self._format.whole("".join(texts) + last.text, last.reason, self.usage))

    async def stream(self, request: Request, *, include_usage: bool) -> Response:
        """Answer piece by piece; the response begins with the first token, so what fails before has a status.

        Raises:
            ApiError: The engine failed before the first token, or the client left.
        """
        self._streamed = True
        try:
            first = await _unless_disconnected(request, self._generation.next())
        except asyncio.CancelledError:
            self._stop()
            raise
        except BaseException:
            self._close()
            raise
        if isinstance(first, Failed):
            self._ended(first)
            self._close()
            raise _failure(first)
        return _EventStream(self._pieces(first, include_usage=include_usage), self._close, self._stop)

    async def _collect(self) -> tuple[list[str], Finished | Failed]:
        texts = []
        while isinstance(event := await self._generation.next(), Text):
            texts.append(event.text)
        return texts, event

    async def _pieces(self, event: Event, *, include_usage: bool) -> AsyncGenerator[str]:
        first = True
        while isinstance(event, Text):
            if event.text:
                yield _sse(self._format.chunk(event.text, first=first))
                if first and self._service.faults.strikes(STREAM_CUT):
                    self._error_type = "internal_error"
                    raise StreamCutError
                first = False
            event = await self._generation.next()
        self._ended(event)
        if isinstance(event, Failed):
            # No [DONE] after it: a client that does not know error events must not take this for an end.
            yield _sse(error_body(500, event.message, event.error_type))
            return
        yield _sse(self._format.chunk(event.text, first=first, reason=event.reason))
        if include_usage:
            yield _sse(self._format.usage_chunk(self.usage))
        yield "data: [DONE]\n\n"

    def _ended(self, last: Finished | Failed) -> None:
        if isinstance(last, Failed):
            self._error_type = last.error_type
        else:
            self._error_type, self._finish_reason = "", last.reason

    def _stop(self) -> None:
        self._error_type = _STOPPED
        self._close()

    def _close(self) -> None:
        self._service.engine.cancel(self._generation)
        timeline = self._generation.timeline
        whole = not self._error_type and timeline.tokens
        self._exchange.generation = EndedRequest(
            operation=self._format.operation,
            model=self._format.model,
            error_type=self._error_type,
            timeline=timeline,
            ended=timeline.tokens[-1] if whole else time.monotonic(),
            prompt=self._generation.prompt,
            finish_reason=self._finish_reason,
            response_id=self._format.answer_id,
            streamed=self._streamed,
        )


class StreamCutError(Exception):
    """The fault `stream_cut`: the connection ends in the middle of an answer."""


class _EventStream(StreamingResponse):
    """A server-sent event stream that calls `close` at its end, also where the client left before its first byte.

    It calls `stop` instead where the server breaks it off: a client that leaves ends it without an exception.
    """

    def __init__(self, pieces: AsyncGenerator[str], close: Callable[[], None], stop: Callable[[], None]) -> None:
        # X-Accel-Buffering: nginx would hold the pieces back.
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(pieces, media_type="text/event-stream", headers=headers)
        self._pieces = pieces
        self._close = close
        self._stop = stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        end = self._close
        try:
            await super().__call__(scope, receive, send)
        except StreamCutError:
            # The server sees a response without an end and closes the connection.
            pass
        except asyncio.CancelledError:
            end = self._stop
            raise
        finally:
            await self._pieces.aclose()
            end()


def _sse(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _failure(event: Failed) -> ApiError:
    status = {"engine_dead": 503, "timeout_queue": 503, "timeout_decode": 504}.get(event.error_type, 500)
    return ApiError(status, event.error_type, event.message, code=event.error_type)


async def _unless_disconnected(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """The result of `work`, which is given up where the client leaves first.

    Raises:
        ApiError: The client left; nobody will read the answer.
    """
    working, leaving = asyncio.create_task(work), asyncio.create_task(_disconnect(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ApiError(499, _DISCONNECTED, "the client closed the connection")
    finally:
        working.cancel()
        leaving.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
