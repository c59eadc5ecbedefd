"""Small real servers, one per way in which a service can answer."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

DONE = b"data: [DONE]\n\n"


def chunk(text: str) -> bytes:
    return (
        b"data: "
        + json.dumps({"object": "text_completion", "choices": [{"index": 0, "text": text}]}).encode()
        + b"\n\n"
    )


ANSWERS = {
    "good": b": comment\n\n" + chunk("Pa") + chunk("ris") + b'data: {"choices": [], "usage": {}}\r\n\r\n' + DONE,
    "keeps_open": chunk("Paris") + DONE,
    "slow_first_token": chunk("Paris") + DONE,
    "hangs": b"",
    "stalls": chunk("Paris"),
    "cut": chunk("Paris"),
    "garbage": b"<html>hello</html>\n",
    "error_event": b'data: {"error": {"message": "engine died"}}\n\n' + DONE,
    "no_text": chunk("") + DONE,
}


class Service(ThreadingHTTPServer):
    """Answers as the first part of the path says: http://host:port/<behaviour>/v1/completions."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.released = threading.Event()
        self.requests: list[tuple[str, str, dict[str, str], dict[str, object]]] = []
        self.models = ["tiny"]

    def url(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{behaviour}"


class Handler(BaseHTTPRequestHandler):
    """Has a model list and one kind of completion per behaviour."""

    server: Service
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self.server.requests.append(("GET", self.path, dict(self.headers), {}))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"data": [{"id": name} for name in self.server.models]}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(("POST", self.path, dict(self.headers), body))
        behaviour = self.path.split("/")[1]
        refused = behaviour == "error_500" or body["model"] not in self.server.models
        self.send_response((500 if behaviour == "error_500" else 404) if refused else 200)
        self.end_headers()
        if not refused:
            self.answer(behaviour)

    def answer(self, behaviour: str) -> None:
        if behaviour == "flood":
            return self.flood()
        if behaviour == "slow_first_token":
            time.sleep(0.3)
        self.wfile.write(ANSWERS[behaviour])
        self.wfile.flush()
        if behaviour in ("hangs", "stalls", "keeps_open"):
            self.server.released.wait(10)
        return None

    def flood(self) -> None:
        """Far more than a completion, on one endless line."""
        try:
            for _ in range(256):
                self.wfile.write(b"x" * 65536)
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@contextmanager
def serving() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def shared_service() -> Iterator[Service]:
    """For tests that only look."""
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def refused_url() -> Iterator[str]:
    """An address that is bound, so that nobody else takes it, but not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
