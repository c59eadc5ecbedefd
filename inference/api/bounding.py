"""How large a request may be."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.api.errors import ApiError


class BoundedBody:
    """ASGI middleware. A body that is too large raises a 413 where it is read, so it is answered like any error."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        read = 0

        async def bounded() -> Message:
            nonlocal read
            if int(declared) > self._max_body_bytes:
                raise self._too_large()
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max_body_bytes:
                raise self._too_large()
            return message

        await self._app(scope, bounded, send)

    def _too_large(self) -> ApiError:
        message = f"the body is larger than {self._max_body_bytes} bytes"
        return ApiError(413, "invalid_request", message, rejection="body_too_large")
