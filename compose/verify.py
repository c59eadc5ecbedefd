"""`python -m compose.verify`: the service whose health says that what runs is what is committed; also lists replicas.

Rules, routes, targets, boards and data sources are compared with what the code makes, over the parts' own APIs.
"""

import contextlib
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml

from alertmanager.generate import configuration
from alerts.generate import render as render_rules
from alerts.timing import duration
from compose import inside, ports, setup
from compose.discovery import Replicas
from compose.part import Part
from compose.prometheus import DISCOVERED_JOB
from compose.readiness import NotReadyError, reloaded_at
from dashboards.boards import BOARDS

SOURCES = ("prometheus", "alertmanager", "tempo", "loki")
"""Uids of Grafana's data sources."""
_POLL_SECONDS, _WATCH_SECONDS = 2, 15
"""Between two checks: until all is well for the first time, and then."""
_TIMEOUT = 4.0
_DAY = 86_400_000
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": _DAY, "w": 7 * _DAY, "y": 365 * _DAY}


class Verification:
    """Checks a running stack against what the code makes.

    Args:
        environment: As setup's.
        urls: Where the parts are, by name.
        password: Of Grafana's administrator.
        rendered: Folder of what Prometheus reads.
    """

    def __init__(
        self, environment: Mapping[str, str], urls: Mapping[str, str], password: Callable[[], str], rendered: Path
    ) -> None:
        self._environment, self._urls, self._password, self._rendered = environment, urls, password, rendered
        self._timing, self._links = setup.timing(environment), setup.links(environment)

    def problems(self) -> list[str]:
        """What differs or does not answer, one line each; empty when all is well."""
        found: list[str] = []
        checks = [self._rules, self._targets, self._flags, self._reading, self._routes]
        if "grafana" in self._urls:
            checks += [self._boards, self._sources]
        for check in checks:
            name = check.__name__.strip("_")
            try:
                found += [f"{name}: {problem}" for problem in check()]
            except NotReadyError as error:
                found.append(f"{name}: {error}")
            except (httpx.HTTPError, ValueError, KeyError, OSError) as error:
                found.append(f"{name}: no answer ({type(error).__name__}: {error})")
        return found

    def _rules(self) -> Iterator[str]:
        files = render_rules(self._timing, self._links)
        every = [group for text in files.values() for group in _groups(text)]
        wanted = {group["name"]: [_rule(rule) for rule in group["rules"]] for group in every}
        groups = self._get("prometheus", "/api/v1/rules")["data"]["groups"]
        # Prometheus tells expressions in a spelling of its own: compared are the files, which it has read (_reading).
        folder = self._rendered / "rules"
        there = {path.name: path.read_text() for path in folder.glob("*.yml")}
        yield from (f"{name} is not as committed" for name, text in files.items() if there.get(name) != text)
        loaded = {group["name"]: [_loaded(rule) for rule in group["rules"]] for group in groups}
        yield from (f"group {name} is not as committed" for name in wanted if loaded.get(name) != wanted[name])
        yield from (f"group {name} is unknown" for name in loaded.keys() - wanted.keys())
        broken = [rule for group in groups for rule in group["rules"] if rule["health"] == "err"]
        yield from (f"{rule['name']} fails: {rule.get('lastError')}" for rule in broken)

    def _targets(self) -> Iterator[str]:
        active = self._get("prometheus", "/api/v1/targets?state=active")["data"]["activeTargets"]
        ours = {part.name for part in inside.parts(setup.without(self._environment)) if part.scraped} | {DISCOVERED_JOB}
        yield from (f"{job} has none" for job in sorted(ours - {target["scrapePool"] for target in active}))
        # The user's own targets may be down: that is what the stack is there to tell.
        down = [target for target in active if target["scrapePool"] in ours and target["health"] != "up"]
        yield from (f"{one['labels']['instance']} is {one['health']}: {one['lastError']}" for one in down)

    def _flags(self) -> Iterator[str]:
        flags, wanted = self._get("prometheus", "/api/v1/status/flags")["data"], duration(self._timing.resend_delay)
        if flags["rules.alert.resend-delay"] != wanted:
            yield f"prometheus resends after {flags['rules.alert.resend-delay']}, the clock says {wanted}"

    def _reading(self) -> Iterator[str]:
        rendered = max(int(path.stat().st_mtime) for path in self._rendered.rglob("*") if path.is_file())
        if reloaded_at(Part("prometheus", (), self._urls["prometheus"])) < rendered:
            yield "prometheus runs by an older configuration; docker compose kill -s HUP prometheus alertmanager probe"

    def _routes(self) -> Iterator[str]:
        running = yaml.safe_load(self._get("alertmanager", "/api/v2/status")["config"]["original"])
        wanted = configuration(self._timing, self._links, inside.receivers(), setup.who(self._environment))
        for section in ("route", "inhibit_rules"):
            if _plain(running[section]) != _plain(wanted[section]):
                yield f"{section} is not as committed"
        # Only their names: where they are is for the user to say.
        names, named = ([receiver["name"] for receiver in one["receivers"]] for one in (running, wanted))
        if names != named:
            yield "receivers are not as committed"

    def _boards(self) -> Iterator[str]:
        found = {board["uid"] for board in self._get("grafana", "/api/search?type=dash-db&limit=5000")}
        yield from (f"{board.uid} is missing" for board in BOARDS if board.uid not in found)

    def _sources(self) -> Iterator[str]:
        found = {source["uid"] for source in self._get("grafana", "/api/datasources")}
        wanted = [uid for uid in SOURCES if uid in self._urls]
        yield from (f"{uid} is missing" for uid in wanted if uid not in found)

    def _get(self, part: str, path: str) -> Any:  # noqa: ANN401 - whatever JSON the part answers
        sign_in = ("admin", self._password()) if part == "grafana" else None
        answer = httpx.get(f"{self._urls[part]}{path}", auth=sign_in, timeout=_TIMEOUT, trust_env=False)
        return answer.raise_for_status().json()


def _groups(text: str) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = yaml.safe_load(text)["groups"]
    return groups


def _rule(rule: Mapping[str, Any]) -> tuple[str, dict[str, str], float]:
    """A rule of a file: its name, the labels that the file gives, and how many milliseconds it has to hold."""
    return rule.get("alert") or rule["record"], rule.get("labels", {}), _plain(rule.get("for", "0s"))


def _loaded(rule: Mapping[str, Any]) -> tuple[str, dict[str, str], float]:
    """The same of a rule that Prometheus tells of."""
    return rule["name"], rule.get("labels", {}), rule.get("duration", 0) * 1000


def _plain(section: Any) -> Any:  # noqa: ANN401 - a part of a YAML document
    """A section of Alertmanager's configuration however it is written: it says every default, and 24h as 1d."""
    if isinstance(section, dict):
        return {key: _plain(value) for key, value in section.items() if (key, value) != ("continue", False)}
    if isinstance(section, list):
        return sorted(section) if all(isinstance(one, str) for one in section) else [_plain(one) for one in section]
    if isinstance(section, str) and re.fullmatch(r"(\d+(ms|[smhdwy]))+", section):
        return sum(int(count) * _MILLISECONDS[unit] for count, unit in re.findall(r"(\d+)(ms|[smhdwy])", section))
    return section


class Pages(ThreadingHTTPServer):
    """`/healthz`: 200 once all is well, 503 and the problems otherwise. `/targets`: the replicas.

    PUT `/targets/SERVICE/N` lists none of them beyond the N-th, DELETE `/targets/SERVICE` all again.
    """

    daemon_threads = True

    def __init__(self, address: tuple[str, int], replicas: Replicas) -> None:
        super().__init__(address, _Handler)
        self.replicas = replicas
        self.problems: list[str] = ["not checked yet"]


class _Handler(BaseHTTPRequestHandler):
    """Two pages, and what `ContainerStack.scale` asks for."""

    server: Pages
    timeout = 5

    def do_GET(self) -> None:
        if self.path == "/targets":
            self._answer(200, "application/json", json.dumps(self.server.replicas.targets()))
        elif self.path == "/healthz":
            problems = self.server.problems
            self._answer(503 if problems else 200, "text/plain", "\n".join(problems) or "ok")
        else:
            self._answer(404, "text/plain", "/healthz or /targets")

    def do_PUT(self) -> None:
        if asked := re.fullmatch(r"/targets/([a-z-]+)/(\d{1,4})", self.path):
            self.server.replicas.limit(asked[1], int(asked[2]))
        self._answer(200 if asked else 404, "text/plain", "/targets/SERVICE/NUMBER")

    def do_DELETE(self) -> None:
        if asked := re.fullmatch(r"/targets/([a-z-]+)", self.path):
            self.server.replicas.unlimit(asked[1])
        self._answer(200 if asked else 404, "text/plain", "/targets/SERVICE")

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # whoever asked has gone
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a health check every few seconds says nothing."""


def main() -> int:
    """Check for ever; say each change of what is wrong."""
    environment = os.environ
    try:
        left_out = setup.without(environment)
        urls = {part.name: part.url for part in inside.parts(left_out)}
        verification = Verification(environment, urls, (inside.GRAFANA / "admin_password").read_text, inside.PROMETHEUS)
    except ValueError as error:
        print(f"verify: {error}", file=sys.stderr)
        return 2
    replicas = Replicas(socket.gethostname())
    replicas.watch()
    pages = Pages(("0.0.0.0", inside.VERIFY_PORT), replicas)  # noqa: S104 - in a container
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    before, was_well = pages.problems, False
    while True:
        pages.problems = verification.problems()
        if pages.problems != before:
            print("\n".join(pages.problems) or _well(environment, left_out), flush=True)
        before, was_well = pages.problems, was_well or not pages.problems
        time.sleep(_WATCH_SECONDS if was_well else _POLL_SECONDS)


def _well(environment: Mapping[str, str], left_out: frozenset[str]) -> str:
    """What to read once everything is as committed."""
    published = [port for port in (*ports.PORTS, *ports.CONTAINER_PORTS) if port.part not in left_out]
    lines = [f"  {one.part:14} http://127.0.0.1:{environment.get(one.variable) or one.default}" for one in published]
    return "Everything runs as committed:\n" + "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
