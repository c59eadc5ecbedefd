"""The HTTP side: /metrics, /healthz, a landing page, and the control API where GPUs are simulated.

Serves what the scrape loop holds; never asks the driver and never waits for it.
"""

import json
import logging
import socket
import sys
from collections.abc import Callable
from html import escape
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE_OPENMETRICS

from exporters.gpu.scrape import ScrapeLoop
from exporters.gpu.settings import Address
from exporters.gpu.simulator import control
from exporters.gpu.simulator.machine import SimulatedMachine

LOG = logging.getLogger(__name__)

_SOCKET_TIMEOUT_SECONDS = 10
_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"


class ExporterServer(ThreadingMixIn, TCPServer):
    """A listening socket; `serve_forever` answers until `shutdown`.

    Raises:
        OSError: The address cannot be listened on.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: Address, loop: ScrapeLoop, source: str, machine: SimulatedMachine | None) -> None:
        self.loop = loop
        self.source = source
        self.machine = machine
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        super().__init__((address.host, address.port), Handler)

    @property
    def url(self) -> str:
        """Where it really listens."""
        host, port = self.server_address[:2]
        shown = f"[{host!s}]" if self.address_family == socket.AF_INET6 else str(host)
        return f"http://{shown}:{port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say in one line what http.server would print as a traceback; clients that hang up are everyday."""
        LOG.debug("a connection from %s broke: %r", client_address, sys.exc_info()[1])


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: ExporterServer
    protocol_version = "HTTP/1.1"
    timeout = _SOCKET_TIMEOUT_SECONDS
    # Headers and body leave in one packet, and small ones at once.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer as to a GET, without the body."""
        self._answer()

    def do_PATCH(self) -> None:
        """Answer a PATCH: only the control API takes one."""
        self._answer()

    do_POST = do_PUT = do_DELETE = do_PATCH  # noqa: N815 - http.server finds methods by these names

    def version_string(self) -> str:
        """Name the exporter, not the Python beneath."""
        return "inferwatch-gpu-exporter"

    def log_message(self, format: str, *args: object) -> None:
        """Keep scrapes out of the log."""
        LOG.debug(format, *args)

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        reads = self.command in ("GET", "HEAD")
        # Only the control API reads a body; left unread, it would pass for the connection's next request.
        self.close_connection = self.close_connection or not reads
        if path.startswith(control.PREFIX):
            self._control(path)
        elif path not in _PAGES:
            self._reply(404, _TEXT, f"No such page. There are: {', '.join(_PAGES)}\n".encode())
        elif not reads:
            self._reply(405, _TEXT, b"This page takes GET.\n", {"Allow": "GET, HEAD"})
        else:
            _PAGES[path](self)

    def _metrics(self) -> None:
        page = self.server.loop.page()
        wants_gzip = "gzip" in self.headers.get("Accept-Encoding", "")
        # The library's choice of format; the bytes are rendered already.
        if choose_encoder(self.headers.get("Accept", ""))[1].startswith("application/openmetrics-text"):
            kind, body = CONTENT_TYPE_OPENMETRICS, page.form("openmetrics_gzip" if wants_gzip else "openmetrics")
        else:
            kind, body = CONTENT_TYPE_PLAIN_0_0_4, page.form("text_gzip" if wants_gzip else "text")
        encoding = {"Content-Encoding": "gzip"} if wants_gzip else {}
        self._reply(200, kind, body, {"Vary": "Accept, Accept-Encoding", **encoding})

    def _health(self) -> None:
        trouble = self.server.loop.trouble()
        if trouble is None:
            self._reply(200, _TEXT, b"ok\n")
        else:
            self._reply(503, _TEXT, f"{trouble}\n".encode())

    def _landing(self) -> None:
        self._reply(200, "text/html; charset=utf-8", _landing_page(self.server).encode())

    def _control(self, path: str) -> None:
        machine = self.server.machine
        if "X-Forwarded-For" in self.headers:
            self._refuse(403, "the control API does not answer through a proxy")
        elif machine is None:
            self._refuse(404, "the GPUs of this exporter are not simulated; start it with --source simulated")
        elif (body := self._body()) is not None:
            method = "GET" if self.command == "HEAD" else self.command
            found = control.answer(machine, method, path, body)
            allow = {"Allow": found.allow} if found.allow else {}
            self._reply(found.status, _JSON, json.dumps(found.body).encode() + b"\n", allow)

    def _body(self) -> bytes | None:
        """The request's body; None where it was refused."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self._refuse(411, "send a body with Content-Length")
        elif int(length) > control.LARGEST_BODY_BYTES:
            self._refuse(413, f"the body is larger than {control.LARGEST_BODY_BYTES} bytes")
        else:
            return self.rfile.read(int(length))
        return None

    def _refuse(self, status: int, message: str) -> None:
        self.close_connection = True
        self._reply(status, _JSON, json.dumps({"error": message}).encode() + b"\n")

    def _reply(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()


_PAGES: dict[str, Callable[[Handler], None]] = {
    "/": Handler._landing,
    "/metrics": Handler._metrics,
    "/healthz": Handler._health,
}


def _landing_page(server: ExporterServer) -> str:
    state = escape(server.loop.trouble() or "ok")
    simulated = (
        "<p><strong>These GPUs are simulated.</strong> "
        '<a href="/simulator/gpus">/simulator/gpus</a> shows them; break one with:</p>'
        f"<pre>curl -X PATCH {escape(server.url)}/simulator/gpus/0 -d '{{\"temperature_celsius\": 95}}'</pre>"
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Inferwatch GPU exporter</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem; padding: 0 1rem }}
pre {{ white-space: pre-wrap }}</style>
</head><body>
<h1>Inferwatch GPU exporter</h1>
<p>Source: {escape(server.source)}, read every {server.loop.interval_seconds:g} s. State: {state}.</p>
<ul><li><a href="/metrics">/metrics</a></li><li><a href="/healthz">/healthz</a></li></ul>
{simulated if server.machine is not None else ""}
</body></html>
"""
