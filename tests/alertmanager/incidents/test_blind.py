"""The dead man's switch of a running native stack: it pages when Prometheus, Alertmanager or all but itself dies."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from compose import ports
from compose.native import NativeStack
from compose.settings import from_environment

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

SLACK_SECONDS = 15
"""For a machine that is busy, beyond what follows from the clock."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[NativeStack]:
    environment = {
        **os.environ,
        **{port.variable: str(free_port()) for port in ports.PORTS},
        "INFERWATCH_STATE_DIR": str(tmp_path_factory.mktemp("stack")),
        "INFERWATCH_CLOCK": "compressed",
    }
    made = NativeStack(from_environment(environment))
    made.up(print)
    yield made
    made.down()


@pytest.fixture
def pages(stack: NativeStack) -> Callable[[str], list[dict[str, Any]]]:
    """The dead man's messages of a status."""
    httpx.delete(f"{stack.url('inbox')}/api/messages", trust_env=False).raise_for_status()

    def found(status: str) -> list[dict[str, Any]]:
        every = httpx.get(f"{stack.url('inbox')}/api/messages", trust_env=False).json()
        return [one for one in every if one["status"] == status and "Alerting" in one["title"]]

    return found


def wait(found: Callable[[], list[dict[str, Any]]], seconds: float) -> float:
    """Wait for both channels; returns how long it took."""
    began = time.monotonic()
    while {one["channel"] for one in found()} != {"slack", "email"}:
        assert time.monotonic() - began < seconds, found()
        time.sleep(0.2)
    return time.monotonic() - began


@pytest.mark.parametrize(
    "victims",
    [
        ["prometheus"],
        ["alertmanager"],
        ["prometheus", "alertmanager", "inference", "gpu-exporter", "node-exporter", "probe"],
    ],
    ids=["prometheus", "alertmanager", "all but the switch and the inbox"],
)
def test_a_death_is_paged_once_and_resolved_once(
    stack: NativeStack, pages: Callable[[str], list[dict[str, Any]]], victims: list[str]
) -> None:
    timing = stack.timing
    # Alertmanager goes on beating until the Watchdog that Prometheus sent last has ended.
    remembered = 4 * timing.resend_delay + timing.heartbeat_interval
    bound = remembered + 3 * timing.heartbeat_interval + SLACK_SECONDS
    for victim in victims:
        stack.hold(victim)
        stack.kill(victim)
    try:
        took = wait(lambda: pages("firing"), bound)
        assert took >= 2 * timing.heartbeat_interval, "it paged before three intervals had passed"
        time.sleep(2 * timing.heartbeat_interval)
        assert len(pages("firing")) == 2
        assert pages("resolved") == []
    finally:
        for victim in victims:
            stack.release(victim)
    wait(lambda: pages("resolved"), 60 + SLACK_SECONDS)
    time.sleep(timing.heartbeat_interval)
    assert (len(pages("firing")), len(pages("resolved"))) == (2, 2)


def test_a_switch_on_another_machine_needs_nothing_of_the_stack(start: Any, inbox: Any, tmp_path: Path) -> None:
    """Its own process, Slack URL and mail server, as compose/deadman.yaml starts it; no heartbeat ever comes."""
    (tmp_path / "slack_url").write_text(f"{inbox.url}/slack")
    command = ["alertmanager.deadman", "--listen-address", "127.0.0.1:0", "--timeout", "1"]
    command += ["--slack-url-file", str(tmp_path / "slack_url"), "--smtp-smarthost", inbox.smtp]
    command += ["--smtp-from", "deadman@example.org", "--smtp-to", "oncall@example.org"]
    with start(*command, says="deadman:"):
        messages = inbox.wait(2, 10)
    assert {one["channel"] for one in messages} == {"slack", "email"}
