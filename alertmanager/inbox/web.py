"""The inbox over HTTP: Slack's webhook, the API that tests read, the page that people read."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from pydantic import ValidationError

from alertmanager.inbox import runbooks, slack
from alertmanager.inbox.faults import Fault, Faults, Mode
from alertmanager.inbox.messages import KEPT, Channel, Mailbox

MAX_BODY_BYTES: Final = 1_000_000

_PAGE = Path(__file__).with_name("page")
_FILES = {"inbox.css": "text/css", "inbox.js": "text/javascript", "slack.js": "text/javascript"}
_SECURITY = {
    # A mail's html part is shown in a frame that inherits this policy: its own styles may apply, nothing else.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_ERRORS = {"429": "rate_limited", "500": "server_error", "403": "invalid_token"}

Cut = Callable[[tuple[str, int]], None]
"""Resets the connection from a peer."""


def application(mailbox: Mailbox, faults: Faults, runbook_folder: Path, cut: Cut) -> FastAPI:
    """The inbox as an ASGI application."""
    app = FastAPI(title="Inferwatch inbox", docs_url=None, redoc_url=None, openapi_url=None)
    _webhook(app, mailbox, faults, cut)
    _messages(app, mailbox)
    _faults(app, faults)
    _pages(app, runbook_folder)
    return app


def _webhook(app: FastAPI, mailbox: Mailbox, faults: Faults, cut: Cut) -> None:
    @app.post("/slack")
    async def receive(request: Request) -> Response:
        body = await _body(request)
        mode = faults.take("slack")
        if mode is not None:
            return await _fail(request, mode, faults, cut)
        try:
            mailbox.add(slack.read(body))
        except slack.SlackError as error:
            return PlainTextResponse(str(error), 400)
        return PlainTextResponse("ok")


async def _fail(request: Request, mode: Mode, faults: Faults, cut: Cut) -> Response:
    if mode in _ERRORS:
        return PlainTextResponse(_ERRORS[mode], int(mode), {"Retry-After": "1"} if mode == "429" else None)
    if mode == "hang":
        await _first(faults.changed("slack"), _left(request))
    if request.client is not None:
        cut((request.client.host, request.client.port))
    return Response()  # to nobody: the connection is cut


async def _left(request: Request) -> None:
    """Wait until the client hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _first(*waits: Coroutine[Any, Any, None]) -> None:
    """Wait for whichever comes first, and give up the others."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _messages(app: FastAPI, mailbox: Mailbox) -> None:
    @app.get("/api/messages")
    async def messages(
        request: Request, channel: Channel | None = None, limit: Annotated[int, Query(ge=1, le=KEPT)] = KEPT
    ) -> Response:
        version = f'"{mailbox.version}-{channel}-{limit}"'
        headers = {"ETag": version, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == version:
            return Response(status_code=304, headers=headers)
        return JSONResponse([asdict(message) for message in mailbox.messages(channel, limit)], headers=headers)

    @app.delete("/api/messages", status_code=204)
    async def clear() -> None:
        mailbox.clear()


def _faults(app: FastAPI, faults: Faults) -> None:
    @app.put("/api/faults/{channel}", status_code=204)
    async def put(channel: Channel, request: Request) -> None:
        try:
            fault = Fault.model_validate_json(await _body(request))
        except ValidationError as error:
            problems = [f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in error.errors()]
            raise HTTPException(422, problems) from error
        faults.set(channel, fault)

    @app.delete("/api/faults/{channel}", status_code=204)
    async def delete(channel: Channel) -> None:
        faults.clear(channel)


def _pages(app: FastAPI, runbook_folder: Path) -> None:
    @app.get("/")
    async def index() -> Response:
        return FileResponse(_PAGE / "index.html", headers=_SECURITY)

    @app.get("/page/{name}")
    async def asset(name: str) -> Response:
        if name not in _FILES:
            raise HTTPException(404)
        return FileResponse(_PAGE / name, media_type=_FILES[name], headers={"Cache-Control": "no-cache"})

    @app.get("/runbooks/{name}")
    async def runbook(name: str) -> Response:
        page = runbooks.page(runbook_folder, name)
        if page is None:
            return HTMLResponse(runbooks.missing(runbook_folder, name), 404, _SECURITY)
        return HTMLResponse(page, headers=_SECURITY)

    @app.get("/healthz")
    async def healthz() -> Response:
        return PlainTextResponse("ok")


async def _body(request: Request) -> bytes:
    """The body, which is read no further than the bound (413)."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"the body is above {MAX_BODY_BYTES} bytes")
    return body
