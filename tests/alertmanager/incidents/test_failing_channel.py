"""A channel fails while Prometheus watches: the page and the news of the failure arrive by the other one, each once."""

import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from alerts.rules import catalogue
from alerts.timing import load

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

TIMING = replace(load().compressed(), hold_divisor=15)
"""NotificationFailing looks back over 20 s: more than Alertmanager's own 10 s for one attempt, as at the real clock."""
ALERT = catalogue(TIMING)["NotificationFailing"]
ATTEMPT_SECONDS = 10
"""Alertmanager's floor for how long a channel that hangs or errs is tried before that counts as a failure."""
SLACK_SECONDS = 10
"""For a machine that is busy."""
OTHER = {"slack": "email", "email": "slack"}

Heard = Counter[tuple[str, str, str]]
"""Messages by subject (`page` or `failing`), channel and status."""


@pytest.fixture(scope="module")
def alertmanager(start_alertmanager: Any, inbox_process: Any, events_process: Any) -> Any:
    heartbeat = f"{events_process.url}/events"  # it must be taken, or its failure would be told of, too
    return start_alertmanager(
        TIMING, slack_url=f"{inbox_process.url}/slack", smtp=inbox_process.smtp, heartbeat_url=heartbeat
    )


def heard(inbox: Any, service: str, channel: str) -> Heard:
    def subject(title: str) -> str:
        if f"Engine down: {service} on" in title:
            return "page"
        return "failing" if f"Notifications fail: {channel}" in title else title

    return Counter((subject(one["title"]), one["channel"], one["status"]) for one in inbox.messages())


def wait_for(inbox: Any, service: str, channel: str, wanted: set[tuple[str, str, str]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while missing := wanted - heard(inbox, service, channel).keys():
        assert time.monotonic() < deadline, f"{missing} is missing: {heard(inbox, service, channel)}"
        time.sleep(0.2)


@pytest.mark.parametrize("mode", ["429", "500", "403", "hang", "refuse"])
@pytest.mark.parametrize("channel", ["slack", "email"])
def test_it_is_named_through_the_other_and_nothing_is_told_twice(
    inbox: Any, alertmanager: Any, start_prometheus: Any, engines: Any, engine_jobs: Any, channel: str, mode: str
) -> None:
    service, other = f"{channel}-{mode}", OTHER[channel]
    place = {"cluster": "default", "namespace": "default", "service": "alertmanager", "host": "node-1"}
    watched = {"targets": [alertmanager.url.removeprefix("http://")], "labels": place}
    jobs = [*engine_jobs(engines, service), {"job_name": "alertmanager", "static_configs": [watched]}]
    start_prometheus(TIMING, jobs, [alertmanager.url])
    time.sleep(2 * TIMING.scrape_interval)  # a failure is an increase, so the count before it must be known
    inbox.fail(channel, mode)
    engines.down.add(service)
    wait_for(inbox, service, channel, {("page", other, "firing")}, 20 + SLACK_SECONDS)
    # Told of as late as its bound says, from the attempt that failed.
    late = ATTEMPT_SECONDS + ALERT.bound(TIMING) + SLACK_SECONDS
    wait_for(inbox, service, channel, {("failing", other, "firing")}, late)
    assert heard(inbox, service, channel).keys() == {("page", other, "firing"), ("failing", other, "firing")}
    inbox.http.delete(f"/api/faults/{channel}").raise_for_status()
    both = {(subject, each, "firing") for subject in ("page", "failing") for each in OTHER}
    wait_for(inbox, service, channel, both, ATTEMPT_SECONDS + 2 * TIMING.group_interval + SLACK_SECONDS)
    engines.down.clear()
    ended = {(subject, each, "resolved") for subject, each, _ in both}
    wait_for(inbox, service, channel, ended, ALERT.drain(TIMING) + 2 * TIMING.group_interval + SLACK_SECONDS)
    time.sleep(2 * TIMING.group_interval)
    assert heard(inbox, service, channel) == dict.fromkeys(both | ended, 1)
