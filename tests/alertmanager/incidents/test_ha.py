"""Two Alertmanagers and two Prometheus replicas: one message per incident and channel, whichever of them dies."""

import time
from typing import Any

import httpx
import pytest

from alerts.timing import load

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

TIMING = load().compressed()
PAGE_SECONDS = 45
"""The compressed bound of EngineDown, and the 15 s for which the second Alertmanager waits for the first."""
RESOLVE_SECONDS = 60
ONCE = [("email", "firing"), ("slack", "firing")]
ONCE_AND_RESOLVED = [("email", "firing"), ("email", "resolved"), ("slack", "firing"), ("slack", "resolved")]


@pytest.fixture
def pair(inbox: Any, start_alertmanager: Any, free_port: Any) -> list[Any]:
    """Two Alertmanagers that gossip."""
    first, second = (f"127.0.0.1:{free_port()}" for _ in range(2))
    made = []
    for own, peer in ((first, second), (second, first)):
        flags = (f"--cluster.listen-address={own}", f"--cluster.peer={peer}", "--cluster.settle-timeout=5s")
        made.append(start_alertmanager(TIMING, slack_url=f"{inbox.url}/slack", smtp=inbox.smtp, flags=flags))
    deadline = time.monotonic() + 30
    while any(peers(one) != 2 for one in made):
        assert time.monotonic() < deadline, "they did not find each other"
        time.sleep(0.2)
    return made


def peers(alertmanager: Any) -> int:
    status = httpx.get(f"{alertmanager.url}/api/v2/status", trust_env=False).json()
    return len(status["cluster"].get("peers", []))


def heard(inbox: Any, service: str) -> list[tuple[str, str]]:
    return sorted((one["channel"], one["status"]) for one in inbox.messages() if f" {service} on " in one["title"])


def wait_for(inbox: Any, service: str, wanted: list[tuple[str, str]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while len(heard(inbox, service)) < len(wanted) and time.monotonic() < deadline:
        time.sleep(0.2)
    # The other replica waits 15 s for its peer, then would send too.
    time.sleep(15 + 2 * TIMING.group_interval)
    assert heard(inbox, service) == wanted


def test_two_of_each_are_heard_once(
    inbox: Any, pair: list[Any], start_prometheus: Any, engines: Any, engine_jobs: Any
) -> None:
    urls = [one.url for one in pair]
    for _ in range(2):
        start_prometheus(TIMING, engine_jobs(engines, "chat"), urls)
    engines.down.add("chat")
    wait_for(inbox, "chat", ONCE, PAGE_SECONDS)
    engines.down.clear()
    wait_for(inbox, "chat", ONCE_AND_RESOLVED, RESOLVE_SECONDS)


@pytest.mark.parametrize("victim", [0, 1])
def test_one_of_each_that_dies_in_an_incident_loses_nothing(
    inbox: Any, pair: list[Any], start_prometheus: Any, engines: Any, engine_jobs: Any, victim: int
) -> None:
    urls = [one.url for one in pair]
    prometheus = [start_prometheus(TIMING, engine_jobs(engines, "chat", "search"), urls) for _ in range(2)]
    engines.down.add("chat")
    wait_for(inbox, "chat", ONCE, PAGE_SECONDS)
    pair[victim].kill()
    prometheus[1 - victim].kill()
    engines.down.add("search")
    wait_for(inbox, "search", ONCE, PAGE_SECONDS)
    assert heard(inbox, "chat") == ONCE
    engines.down.clear()
    wait_for(inbox, "search", ONCE_AND_RESOLVED, RESOLVE_SECONDS)
    assert heard(inbox, "chat") == ONCE_AND_RESOLVED
