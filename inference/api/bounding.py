"""How large a request may be, and how slowly it may be sent and its answer be read."""

import asyncio
from typing import ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from inference.api.errors import ApiError


class _Punctual(H11Protocol):
    """Uvicorn's HTTP/1.1 for clients that send a request's head, and take each piece of an answer, in so many seconds.

    uvicorn itself would keep a connection for ever that says nothing, or a byte an hour, or does not read what it asked
    for, and a client that opens a thousand of them would hold every file descriptor of the service.
    """

    seconds: ClassVar[float]
    _due: asyncio.TimerHandle | None = None
    """Rings where no request has come; while one is answered, and between two, uvicorn keeps the time."""
    _stuck: asyncio.TimerHandle | None = None
    """Rings where something is left to send; to close the connection would wait for it, and for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Writing pauses as soon as the kernel takes no more, and goes on when it has taken everything.
        transport.set_write_buffer_limits(high=0)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle and not self.cycle.response_complete:
            self._wait_no_more()
        elif not self._due:
            self._wait()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self._stuck:
            self._stuck.cancel()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        if self._stuck:
            self._stuck.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._due = self.loop.call_later(self.seconds, self._too_slow)

    def _wait_no_more(self) -> None:
        if self._due:
            self._due.cancel()
        self._due = None

    def _too_slow(self) -> None:
        self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self.transport.close()


def punctual(seconds: float) -> type[H11Protocol]:
    """The protocol for uvicorn, which takes a class, with this patience."""
    return type("Punctual", (_Punctual,), {"seconds": seconds})


class BoundedBody:
    """ASGI middleware. A body that is too large or too long on its way raises where it is read: answered as any error.

    Args:
        app: What comes next.
        max_body_bytes: Of one request.
        seconds: From the request's head to the end of its body. Whoever lost the network in the middle says nothing
            more, and would be waited for, for ever.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int, seconds: float) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        due = asyncio.get_running_loop().time() + self._seconds
        read, whole = 0, False

        async def bounded() -> Message:
            nonlocal read, whole
            if int(declared) > self._max_body_bytes:
                raise self._too_large()
            try:
                # After the body nothing comes but that the client leaves, whenever it does.
                async with asyncio.timeout_at(None if whole else due):
                    message = await receive()
            except TimeoutError:
                raise self._too_slow() from None
            if message["type"] == "http.disconnect" and not whole:
                raise ApiError(499, "client_disconnect", "the client closed the connection")
            whole = not message.get("more_body", False)
            read += len(message.get("body", b""))
            if read > self._max_body_bytes:
                raise self._too_large()
            return message

        await self._app(scope, bounded, send)

    def _too_large(self) -> ApiError:
        message = f"the body is larger than {self._max_body_bytes} bytes"
        return ApiError(413, "invalid_request", message, rejection="body_too_large")

    def _too_slow(self) -> ApiError:
        message = f"the body was not there after {self._seconds:g} s"
        return ApiError(408, "invalid_request", message, rejection="invalid_request")
