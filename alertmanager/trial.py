"""A test page through every channel, each by an Alertmanager of its own, so that it is known who took it.

Uses the configuration, the secrets and the program of the stack, but not the running Alertmanager: its counters mix
receivers, and its other messages would wait behind the test.
"""

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from alertmanager.routing import TEAM

PATIENCE_SECONDS: Final = 15.0
"""How long a channel may take; Alertmanager repeats a refused mail and a Slack that errs until then."""
START_SECONDS: Final = 20.0

_KINDS: Final = ("slack", "email", "pagerduty", "webhook")
_LISTENING = re.compile(r'msg="?Listening on"? address=(\S+)')
_ERROR = re.compile(r'err="((?:[^"\\]|\\.)*)"|err=(\S+)')


@dataclass(frozen=True, slots=True)
class Channel:
    """One integration of one receiver."""

    receiver: str
    kind: str
    """slack, email, pagerduty or webhook: Alertmanager's own word for it."""
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a test page."""

    channel: Channel
    accepted: bool
    seconds: float
    words: str
    """Why it was not accepted, in Alertmanager's words; empty where it was."""


def channels(configuration: Mapping[str, Any]) -> list[Channel]:
    """Every channel through which people are paged; one that several receivers share counts once.

    Heartbeats are none: a test sent there could be taken for one.
    """
    found: list[Channel] = []
    for receiver in configuration["receivers"]:
        for kind in _KINDS if receiver["name"].startswith("page-") else ():
            found += [Channel(receiver["name"], kind, one) for one in receiver.get(f"{kind}_configs", ())]
    return found


def send_all(program: Path, configuration: Mapping[str, Any], external_url: str) -> list[Outcome]:
    """Send one test page through each channel, at the same time.

    Args:
        program: Alertmanager's own program.
        configuration: Its configuration, with the channels of every team.
        external_url: Where the stack's own Alertmanager is, as the messages name it.

    Raises:
        RuntimeError: Alertmanager does not start; the message holds its own words.
    """
    every = channels(configuration)
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(lambda channel: _send(program, configuration, channel, external_url), every))


def _send(program: Path, configuration: Mapping[str, Any], channel: Channel, external_url: str) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="inferwatch-notify-") as scratch:
        folder = Path(scratch)
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(_only(configuration, channel), sort_keys=False))
        with _running(program, folder, external_url) as url, httpx.Client(base_url=url, trust_env=False) as http:
            began = time.monotonic()
            http.post("/api/v2/alerts", json=[_alert(channel)]).raise_for_status()
            accepted = _accepted(http, channel.kind, 1)
            seconds = time.monotonic() - began
            if accepted and channel.settings["send_resolved"] and channel.kind == "pagerduty":
                http.post("/api/v2/alerts", json=[_alert(channel, ended=True)]).raise_for_status()
                _accepted(http, channel.kind, 2)  # or its incident would stay open
        words = "" if accepted else _why((folder / "log").read_text())
        return Outcome(channel, accepted, seconds, words)


def _only(configuration: Mapping[str, Any], channel: Channel) -> dict[str, Any]:
    """The configuration with this one channel, which sends at once."""
    resolves = channel.kind == "pagerduty"
    integration = dict(channel.settings) | {"send_resolved": resolves}
    return {
        "global": configuration["global"],
        "templates": configuration["templates"],
        "route": {"receiver": "test", "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"},
        "receivers": [{"name": "test", f"{channel.kind}_configs": [integration]}],
    }


def _alert(channel: Channel, *, ended: bool = False) -> dict[str, Any]:
    now = datetime.now(UTC)
    team = channel.receiver.removeprefix("page-")
    labels = {"alertname": "NotifyTest", "severity": "page", "class": "meta", "component": "telemetry", "test": "true"}
    return {
        "labels": labels | {TEAM: team},
        "annotations": {
            "summary": "This is a test, nothing is broken",
            "impact": "None. Somebody ran `inferwatch notify test` to see whether pages reach you here.",
            "action": f"Nothing. If you are not on call for {team}, tell who runs Inferwatch.",
            "description": "A test page to every channel of every team.",
        },
        "startsAt": (now - timedelta(seconds=30)).isoformat(),
        "endsAt": (now + timedelta(seconds=-1 if ended else 300)).isoformat(),
    }


@contextmanager
def _running(program: Path, folder: Path, external_url: str) -> Iterator[str]:
    """An Alertmanager on a port of the system's choice; gives its URL."""
    log = folder / "log"
    command = [str(program), f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'data'}"]
    command += ["--cluster.listen-address=", "--web.listen-address=127.0.0.1:0"]
    command += [f"--web.external-url={external_url}", "--web.route-prefix=/"]
    with log.open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        yield _url(process, log)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:  # it waits for a receiver that hangs
            process.kill()
            process.wait()


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = _LISTENING.search(log.read_text())
        if found and _ready(url := f"http://{found[1]}"):
            return url
        time.sleep(0.05)
    raise RuntimeError(f"Alertmanager does not start: {_why(log.read_text())}")


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _accepted(http: httpx.Client, kind: str, count: int) -> bool:
    """Wait until that many messages were taken; False once Alertmanager or our patience gives up."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        page = http.get("/metrics").text
        tried, failed = (_count(page, f"notification_requests{failed}_total", kind) for failed in ("", "_failed"))
        if tried - failed >= count:
            return True
        if _count(page, "notifications_failed_total", kind):
            return False
        time.sleep(0.05)
    return False


def _count(page: str, name: str, kind: str) -> float:
    """Sum of Alertmanager's own counter over whatever other labels its version has."""
    lines = re.findall(rf'^alertmanager_{name}\{{[^}}]*integration="{kind}"[^}}]*\}} (\S+)$', page, re.MULTILINE)
    return sum(map(float, lines))


def _why(log: str) -> str:
    """The last error of a log, in its own words; Alertmanager leaves secrets out of it."""
    quoted_or_bare = _ERROR.findall(log)
    if not quoted_or_bare:
        return "no answer" if _LISTENING.search(log) else (log.strip().splitlines() or ["it says nothing"])[-1]
    quoted, bare = quoted_or_bare[-1]
    return str(quoted or bare).replace('\\"', '"').replace("\\n", " ")[:300]
