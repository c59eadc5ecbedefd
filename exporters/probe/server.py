"""Serves /metrics and /healthz over HTTP. Knows nothing of targets."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

_INDEX = "Inferwatch probe. /metrics: for Prometheus; /healthz: whether attempts are made.\n"
_PLAIN = "text/plain; charset=utf-8"


class PagesServer(ThreadingHTTPServer):
    """Listens from the start, answers once `serve_forever` runs; port 0 takes a free one.

    Raises:
        OSError: If the address cannot be listened on.
    """

    daemon_threads = True  # a slow reader must not hold up the end of the process

    def __init__(self, address: tuple[str, int], collector: Collector, late: Callable[[], tuple[str, ...]]) -> None:
        super().__init__(address, _Handler)
        self.late = late
        self.registry = CollectorRegistry()
        self.registry.register(collector)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.server_address[0]!s}:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: PagesServer
    timeout = 10  # seconds that a client may keep a thread waiting
    server_version = "inferwatch-probe"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the page."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("accept", ""))
            self._answer(200, content_type, encode(self.server.registry))
        elif path == "/healthz":
            late = self.server.late()
            text = f"no attempt ended in time for: {', '.join(late)}\n" if late else "ok\n"
            self._answer(503 if late else 200, _PLAIN, text.encode())
        else:
            self._answer(200 if path == "/" else 404, _PLAIN, _INDEX.encode())

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet: a line per scrape hides the ones that matter."""
