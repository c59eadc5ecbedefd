"""Takes heartbeats over HTTP and serves /metrics and /healthz."""

import json
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from alertmanager.deadman import WATCHDOG

MAX_BODY_BYTES = 256_000

_INDEX = "Inferwatch dead man's switch. POST /heartbeat: Alertmanager's webhook; GET /metrics, /healthz.\n"
_PLAIN = "text/plain; charset=utf-8"


class HeartbeatServer(ThreadingHTTPServer):
    """Answers on a socket that already listens, once `serve_forever` runs."""

    daemon_threads = True  # a slow sender must not hold up the end of the process

    def __init__(self, listening: socket.socket, beat: Callable[[], None], collector: Collector) -> None:
        super().__init__(listening.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.beat = beat
        self.registry = CollectorRegistry()
        self.registry.register(collector)


class _Handler(BaseHTTPRequestHandler):
    server: HeartbeatServer
    timeout = 10  # seconds that a client may keep a thread waiting
    server_version = "inferwatch-deadman"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the page."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("accept", ""))
            self._answer(200, encode(self.server.registry), content_type)
        elif path == "/healthz":
            self._answer(200, b"ok\n")
        else:
            self._answer(200 if path == "/" else 404, _INDEX.encode())

    def do_POST(self) -> None:
        """Count a heartbeat, if it is one."""
        if self.path != "/heartbeat":
            return self._answer(404, _INDEX.encode())
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            return self._answer(411, b"Content-Length is missing\n")
        if int(length) > MAX_BODY_BYTES:
            return self._answer(413, f"the body is above {MAX_BODY_BYTES} bytes\n".encode())
        try:
            counts = is_heartbeat(self.rfile.read(int(length)))
        except ValueError as error:
            return self._answer(400, f"{error}\n".encode())
        if not counts:
            return self._answer(200, f"not counted: no firing {WATCHDOG} in it\n".encode())
        self.server.beat()
        return self._answer(200, b"ok\n")

    def _answer(self, status: int, body: bytes, content_type: str = _PLAIN) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing: a heartbeat arrives every few seconds."""


def is_heartbeat(body: bytes) -> bool:
    """Whether an Alertmanager webhook's body holds a firing Watchdog.

    Raises:
        ValueError: Where it is no such body.
    """
    try:
        alerts = json.loads(body)["alerts"]
        return any(one["status"] == "firing" and one["labels"]["alertname"] == WATCHDOG for one in alerts)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("expected the JSON that Alertmanager's webhook sends") from error
