"""Real parts for the tests of routes, messages, inbox and dead man's switch."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest
import yaml

from alertmanager.generate import render as render_routes
from alertmanager.receivers import TEMPLATES, Receivers
from alertmanager.teams import load as load_teams
from alerts.generate import render as render_rules
from alerts.links import Links
from alerts.output import write
from alerts.timing import Timing, load

START_SECONDS = 20


@dataclass(frozen=True)
class Inbox:
    """A running inbox."""

    url: str
    smtp: str
    http: httpx.Client
    """Kept open, since each new client reads every certificate authority first."""

    def messages(self, channel: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get(
            "/api/messages", params={"channel": channel} if channel else {}
        ).json()
        return found

    def wait(self, count: int, seconds: float = 15) -> list[dict[str, Any]]:
        """The messages once there are that many; fails where there are not in time."""
        deadline = time.monotonic() + seconds
        while len(found := self.messages()) < count:
            if time.monotonic() > deadline:
                pytest.fail(f"{len(found)} of {count} messages after {seconds} s: {[one['title'] for one in found]}")
            time.sleep(0.05)
        return found

    def fail(self, channel: str, mode: str, count: int | None = None) -> None:
        self.http.put(f"/api/faults/{channel}", json={"mode": mode, "count": count}).raise_for_status()

    def post(self, payload: object) -> httpx.Response:
        return self.http.post("/slack", json=payload, timeout=5)


@contextmanager
def running(*command: str, says: str) -> Iterator[str]:
    """A process of ours, and the first line it prints; ended by its id, killed where that takes too long."""
    process = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    giving_up = threading.Timer(START_SECONDS, process.kill)
    giving_up.start()
    try:
        line = process.stdout.readline()
        giving_up.cancel()
        assert says in line, f"{command[0]} did not start"
        yield line
    finally:
        giving_up.cancel()
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def start() -> Callable[..., Any]:
    """What starts a module of ours and gives its first line, as `running` above."""
    return running


@pytest.fixture(scope="session")
def inbox_process() -> Iterator[Inbox]:
    command = ("alertmanager.inbox", "--http", "127.0.0.1:0", "--smtp", "127.0.0.1:0")
    with running(*command, says="inbox:") as line:
        found = re.search(r"(http://\S+), mail to (\S+)", line)
        assert found
        with httpx.Client(base_url=found[1], trust_env=False) as http:
            yield Inbox(found[1], found[2], http)


@pytest.fixture
def inbox(inbox_process: Inbox) -> Inbox:
    """An inbox without messages and faults."""
    for channel in ("slack", "email"):
        inbox_process.http.delete(f"/api/faults/{channel}").raise_for_status()
    inbox_process.http.delete("/api/messages").raise_for_status()
    return inbox_process


class Events(ThreadingHTTPServer):
    """PagerDuty's events endpoint (/events), and a webhook that wants a token (/hook)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _EventHandler)
        self.events: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _EventHandler(BaseHTTPRequestHandler):
    server: Events

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/hook" and self.headers["Authorization"] != "Bearer t0ken":
            self.send_response(401)
        else:
            self.server.events.append(body)
            self.send_response(202 if self.path == "/events" else 200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def events_process() -> Iterator[Events]:
    with Events() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def events(events_process: Events) -> Events:
    """Endpoints that have got nothing yet."""
    events_process.events.clear()
    return events_process


@dataclass
class Server:
    """A program on a port that can be killed and started again."""

    url: str
    command: list[str]
    log: Path
    process: Any = None

    def start(self) -> None:
        """Start it, and return when it is ready."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/-/ready", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        pytest.fail(f"{self.command[0]} is not ready: {self.log.read_text()[-1000:]}")

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """SIGTERM, or SIGKILL where that takes too long."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


@dataclass
class Alertmanager(Server):
    """A running Alertmanager with the generated configuration."""

    def send(self, *alerts: dict[str, Any], ended: bool = False, age: float = 90) -> None:
        """Post alerts as Prometheus does: they started some seconds ago, and end now or later."""
        now = datetime.now(UTC)
        times = {
            "startsAt": (now - timedelta(seconds=age)).isoformat(),
            "endsAt": (now + timedelta(seconds=-1 if ended else 300)).isoformat(),
        }
        body = [
            {"labels": one["labels"], "annotations": one["annotations"], "generatorURL": one["generatorURL"]} | times
            for one in alerts
        ]
        httpx.post(f"{self.url}/api/v2/alerts", json=body, trust_env=False).raise_for_status()


@pytest.fixture(scope="session")
def server() -> type[Server]:
    """`server(url, command, log)`: a program that is not started yet."""
    return Server


@pytest.fixture(scope="module")
def start_alertmanager(
    tool: Callable[[str], Path], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Alertmanager]]:
    """Starts an Alertmanager that sends to these channels; ended after the module."""
    with ExitStack() as running_servers:

        def start(
            timing: Timing,
            *,
            slack_url: str,
            smtp: str,
            heartbeat_url: str = "http://127.0.0.1:9/",
            pagerduty_url: str = "",
            route: Mapping[str, Any] | None = None,
            flags: tuple = (),
        ) -> Alertmanager:
            """`route`: in place of the generated routes and inhibit rules."""
            folder = tmp_path_factory.mktemp("alertmanager")
            (folder / "slack_url").write_text(f"{slack_url}\n")
            (folder / "pagerduty").write_text("0123456789abcdef0123456789abcdef\n")
            receivers = Receivers(
                secrets=str(folder),
                smarthost=smtp,
                heartbeat_url=heartbeat_url,
                pagerduty_url=pagerduty_url,
                templates=(str(TEMPLATES / "*.tmpl"), str(folder / "*.tmpl")),
            )
            teams = load_teams()
            if pagerduty_url:
                teams = {
                    name: team.model_copy(update={"pagerduty_key_file": "pagerduty"}) for name, team in teams.items()
                }
            files = render_routes(timing, Links(), receivers, teams)
            if route:
                document = yaml.safe_load(files["alertmanager.yml"]) | {"route": dict(route), "inhibit_rules": []}
                files |= {"alertmanager.yml": yaml.safe_dump(document)}
            write(files, folder)
            url = f"http://127.0.0.1:{free_port()}"
            command = [str(tool("alertmanager")), f"--config.file={folder / 'alertmanager.yml'}", *flags]
            command += [f"--storage.path={folder / 'data'}", f"--web.listen-address={url[7:]}"]
            if not any(flag.startswith("--cluster.listen-address") for flag in flags):
                command.append("--cluster.listen-address=")
            server = Alertmanager(url, command, folder / "log")
            server.start()
            running_servers.callback(server.end)
            return server

        yield start


class Tags(HTMLParser):
    """The tags of an html text, in which each tag that opens closes, and the links in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.links: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "br"):
            self._open.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


@pytest.fixture(scope="session")
def read_html() -> type[Tags]:
    """`read_html(text)`: its `seen` tags and its `links`; fails on html that is not well-formed."""
    return Tags


def _annotations(rule: dict[str, Any], labels: dict[str, str]) -> dict[str, str]:
    """A rule's annotations much as Prometheus fills them: of what depends on a label, the first branch.

    The cases in tests/alerts hold the exact texts, by promtool.
    """

    def value(found: re.Match[str]) -> str:
        text = labels.get(found[1], "")
        return quote_plus(text) if "urlquery" in found[0] else text

    def filled(text: str) -> str:
        text = re.sub(r"\{\{ (?:with|range [^}]*:=) query .*\{\{ end \}\}", "", text)  # nothing is there to be asked
        text = re.sub(
            r"\{\{ with (\$labels\.\w+) \}\}(.*?)(?:\{\{ else.*?)?\{\{ end \}\}",
            lambda found: found[2].replace("{{ . }}", f"{{{{ {found[1]} }}}}"),
            text,
        )
        text = re.sub(r"\{\{ (?:if|range|with) .*?\}\}(.*?)(?:\{\{ else.*?)?\{\{ end \}\}", r"\1", text)
        text = re.sub(r"\{\{ \$labels\.(\w+)[^}]*\}\}", value, text)
        text = re.sub(r"\{\{ [^}]*\$value[^}]*\}\}", "0", text)
        return re.sub(r"\{\{.*?\}\}", "", text)

    return {name: filled(text) for name, text in rule.get("annotations", {}).items()}


@pytest.fixture(scope="session")
def firing() -> Callable[..., dict[str, Any]]:
    """`firing("EngineDown", host="node-3")`: an alert of the catalogue as Prometheus sends it, in Data's own form."""
    files = render_rules(load(), Links())
    rules: dict[str, dict[str, Any]] = {}
    for text in files.values():
        for rule in yaml.safe_load(text)["groups"][0]["rules"]:
            if "alert" in rule:
                rules.setdefault(rule["alert"], rule)  # the page stands before the ticket of its name

    def build(name: str, **labels: str) -> dict[str, Any]:
        rule = rules[name]
        places = {"cluster": "default", "namespace": "default", "service": "chat", "host": "node-3", "job": "engines"}
        if rule["labels"]["component"] == "gpu":
            places |= {"gpu": "2", "uuid": "GPU-8f6e"}
        if name == "HostDiskFull":
            places |= {"mountpoint": "/models"}
        every = {"alertname": name, **rule["labels"], **places, "instance": "node-3:8000", **labels}
        return {
            "status": "firing",
            "labels": every,
            "annotations": _annotations(rule, every),
            "startsAt": "2026-11-21T05:12:31Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://127.0.0.1:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
            "fingerprint": "03d72fa17236045d",
        }

    return build


@pytest.fixture(scope="session", autouse=True)
def _direct_connections() -> Iterator[None]:
    """A proxy in the environment must not stand between two parts on this machine."""
    before = os.environ.get("NO_PROXY")
    os.environ["NO_PROXY"] = "127.0.0.1"
    yield
    if before is None:
        del os.environ["NO_PROXY"]
    else:
        os.environ["NO_PROXY"] = before
