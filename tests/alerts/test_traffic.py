"""The users that a drill brings along: they ask as many at a time as they are, and end with the drill."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from alerts.drills import traffic
from alerts.drills.traffic import Traffic


class Service(ThreadingHTTPServer):
    """Answers completions, the first ones by hanging up, and notes what was asked."""

    daemon_threads = True

    def __init__(self, hang_ups: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hang_ups = hang_ups
        self.bodies: list[dict] = []
        self.together = self.most_together = 0
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """Answers as the service would."""

    def do_GET(self):
        self.answer({"data": [{"id": "tiny"}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.together += 1
            self.server.most_together = max(self.server.most_together, self.server.together)
            hang_up = len(self.server.bodies) <= self.server.hang_ups
        time.sleep(0.02)
        with self.server.lock:
            self.server.together -= 1
        if not hang_up:
            self.answer({})

    def answer(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(**options):
        server = Service(**options)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server, SimpleNamespace(url=lambda part: f"http://127.0.0.1:{server.server_port}")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def asked_at_least(server, count):
    give_up = time.monotonic() + 20
    while len(server.bodies) < count:
        assert time.monotonic() < give_up, len(server.bodies)
        time.sleep(0.01)


def test_each_client_asks_one_request_after_the_other_until_all_are_stopped(serve):
    server, stack = serve()
    users = Traffic(clients=3, max_tokens=5)
    users.start(stack)
    asked_at_least(server, 30)
    users.stop()
    asked = len(server.bodies)
    time.sleep(0.2)
    assert len(server.bodies) == asked
    assert server.most_together == 3
    assert server.bodies[-1] == {"model": "tiny", "prompt": "1", "max_tokens": 5}
    users.stop()


def test_it_can_be_started_again(serve):
    server, stack = serve()
    users = Traffic(clients=1, max_tokens=1)
    users.start(stack)
    users.start(stack)
    asked_at_least(server, 10)
    users.stop()
    assert server.most_together == 1


def test_a_client_that_was_hung_up_on_tries_again(serve):
    server, stack = serve(hang_ups=1)
    users = Traffic(clients=1, max_tokens=1)
    users.start(stack)
    asked_at_least(server, 3)
    users.stop()


def test_so_many_requests_are_sent_and_no_more(serve):
    server, stack = serve()
    traffic.send(stack, 7)
    assert len(server.bodies) == 7
    assert server.most_together == 1
