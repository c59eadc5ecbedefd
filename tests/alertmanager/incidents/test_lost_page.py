"""One channel fails, or refuses a storm: the page is not lost, and nothing is sent twice."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from alerts.timing import load

pytestmark = pytest.mark.long

TIMING = replace(load().compressed(), group_interval=2)
FAST_SECONDS = 5
"""Group wait, one mail or one post, and what a busy machine adds."""
RECOVERY_SECONDS = 15
"""Alertmanager's own floor for how long a flush may hang is 10 s; the flush after it delivers."""

BUSY_SECONDS = 45
"""For 40 mails on a machine that is busy; quiet, they take a few seconds."""

Build = Callable[..., dict[str, Any]]
OTHER = {"slack": "email", "email": "slack"}


@pytest.fixture(scope="module")
def alertmanager(start_alertmanager: Any, inbox_process: Any) -> Any:
    return start_alertmanager(TIMING, slack_url=f"{inbox_process.url}/slack", smtp=inbox_process.smtp)


@pytest.mark.parametrize("mode", ["429", "500", "403", "hang", "refuse"])
@pytest.mark.parametrize("channel", ["slack", "email"])
def test_a_page_reaches_the_other_channel_in_time_and_the_failing_one_once_it_recovers(
    inbox: Any, alertmanager: Any, firing: Build, channel: str, mode: str
) -> None:
    page = firing("EngineDown", service=f"{channel}-{mode}")
    inbox.fail(channel, mode)
    alertmanager.send(page)
    (first,) = inbox.wait(1, FAST_SECONDS)
    assert first["channel"] == OTHER[channel]
    time.sleep(2 * TIMING.group_interval)
    assert len(inbox.messages()) == 1
    inbox.http.delete(f"/api/faults/{channel}").raise_for_status()
    assert {one["channel"] for one in inbox.wait(2, RECOVERY_SECONDS)} == {"slack", "email"}
    time.sleep(2 * TIMING.group_interval)
    assert len(inbox.messages()) == 2, "nothing is sent twice after the recovery"
    alertmanager.send(page, ended=True)
    inbox.wait(4, RECOVERY_SECONDS)


def test_a_page_that_ends_while_its_channel_fails_is_never_told_there(
    inbox: Any, alertmanager: Any, firing: Build
) -> None:
    """What Alertmanager does, and why no page has one channel alone."""
    page = firing("EngineDown", service="short")
    inbox.fail("slack", "429")
    alertmanager.send(page)
    inbox.wait(1, FAST_SECONDS)
    alertmanager.send(page, ended=True)
    inbox.wait(2, RECOVERY_SECONDS)
    inbox.http.delete("/api/faults/slack").raise_for_status()
    time.sleep(2 * TIMING.group_interval)
    assert [(one["channel"], one["status"]) for one in inbox.messages()] == [("email", "firing"), ("email", "resolved")]


def test_a_storm_above_slacks_limit_still_arrives_in_full(
    start_alertmanager: Any, busy_slack: Any, inbox: Any, firing: Build
) -> None:
    """40 services break at once, four times Slack's burst: every mail at once, every Slack message in the end."""
    alertmanager = start_alertmanager(TIMING, slack_url=busy_slack.url, smtp=inbox.smtp)
    services = [f"service-{number:02}" for number in range(40)]
    alertmanager.send(*(firing("EngineDown", service=service) for service in services), age=0)
    inbox.wait(40, BUSY_SECONDS)
    deadline = time.monotonic() + 60 + BUSY_SECONDS
    while len(busy_slack.taken) < 40 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert busy_slack.refused > 0, "the limit was never met"
    titles = [one["title"] for _, one in busy_slack.taken]
    assert sorted(titles) == [f"PAGE  Engine down: {service} on node-3" for service in services]
