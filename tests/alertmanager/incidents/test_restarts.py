"""Prometheus and Alertmanager restart in the middle of an incident: nobody is told twice.

At the real clock: the claim is about its holds and delays.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from alerts.rules import catalogue
from alerts.timing import load
from compose.binaries import version
from compose.parts import ALERTMANAGER_MAINTENANCE

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

TIMING = load()
FAST = replace(TIMING.compressed(), group_interval=2)
PAGE_SECONDS = 60
"""EngineDown is a hard page."""
RESOLVE_SECONDS = catalogue(TIMING)["EngineDown"].drain(TIMING) + 2 * TIMING.group_interval
"""Its hold, a scrape and an evaluation; then a group interval, and one more for a machine that is busy."""

Build = Callable[..., dict[str, Any]]


def by_service(inbox: Any) -> dict[str, list[tuple[str, str]]]:
    """(channel, status) of every message, by the service that its title names."""
    heard: dict[str, list[tuple[str, str]]] = {}
    for one in inbox.messages():
        service = one["title"].split("Engine down: ")[1].split(" on ")[0]
        heard.setdefault(service, []).append((one["channel"], one["status"]))
    return {service: sorted(what) for service, what in heard.items()}


ONCE = [("email", "firing"), ("slack", "firing")]
ONCE_AND_RESOLVED = [("email", "firing"), ("email", "resolved"), ("slack", "firing"), ("slack", "resolved")]


def test_a_prometheus_that_is_away_for_40_seconds_says_nothing_about_it(
    inbox: Any, start_alertmanager: Any, start_prometheus: Any, engines: Any, engine_jobs: Any
) -> None:
    alertmanager = start_alertmanager(TIMING, slack_url=f"{inbox.url}/slack", smtp=inbox.smtp)
    engines.down.add("chat")
    prometheus = start_prometheus(TIMING, engine_jobs(engines, "chat"), [alertmanager.url])
    inbox.wait(2, PAGE_SECONDS)
    prometheus.kill()
    time.sleep(40)
    prometheus.start()
    # Longer than a false RESOLVED would need: the alert's end, 4 resend delays after its last word, and a flush.
    time.sleep(4 * TIMING.resend_delay + 2 * TIMING.group_interval)
    assert by_service(inbox) == {"chat": ONCE}
    engines.down.clear()
    inbox.wait(4, RESOLVE_SECONDS)
    assert by_service(inbox) == {"chat": ONCE_AND_RESOLVED}


def test_a_killed_alertmanager_repeats_a_page_only_if_it_died_before_it_wrote_it_down(
    inbox: Any, start_alertmanager: Any, firing: Build
) -> None:
    flags = (f"--data.maintenance-interval={ALERTMANAGER_MAINTENANCE}s",)
    alertmanager = start_alertmanager(FAST, slack_url=f"{inbox.url}/slack", smtp=inbox.smtp, flags=flags)
    page = firing("EngineDown", service="chat")
    alertmanager.send(page)
    inbox.wait(2)
    time.sleep(ALERTMANAGER_MAINTENANCE + 1)
    alertmanager.kill()
    alertmanager.start()
    alertmanager.send(page)  # Prometheus repeats what still fires
    time.sleep(3 * FAST.group_interval)
    assert by_service(inbox) == {"chat": ONCE}
    other = firing("EngineDown", service="search")
    alertmanager.send(other)
    inbox.wait(4)
    alertmanager.kill()
    alertmanager.start()
    alertmanager.send(page, other)
    time.sleep(3 * FAST.group_interval)
    assert by_service(inbox) == {"chat": ONCE, "search": sorted(ONCE + ONCE)}


def test_an_alertmanager_that_is_stopped_properly_repeats_nothing(
    inbox: Any, start_alertmanager: Any, firing: Build
) -> None:
    alertmanager = start_alertmanager(FAST, slack_url=f"{inbox.url}/slack", smtp=inbox.smtp)
    page = firing("EngineDown", service="chat")
    alertmanager.send(page)
    inbox.wait(2)
    alertmanager.end()
    alertmanager.start()
    alertmanager.send(page)
    time.sleep(3 * FAST.group_interval)
    assert by_service(inbox) == {"chat": ONCE}


def test_a_restart_leaks_what_was_muted_only_before_0_30(
    inbox: Any, start_alertmanager: Any, firing: Build, tool: Any
) -> None:
    """Before 0.30 an alert older than its group wait is sent the moment it arrives, perhaps before what mutes it."""
    start_delay = (version(tool("alertmanager")) or (0, 0)) >= (0, 30)
    flags = ("--dispatch.start-delay=3s",) if start_delay else ()
    alertmanager = start_alertmanager(FAST, slack_url=f"{inbox.url}/slack", smtp=inbox.smtp, flags=flags)
    twin, symptom = firing("EngineDownMutesService", service="chat"), firing("ServiceDown", service="chat")
    alertmanager.send(twin)
    time.sleep(0.5)
    alertmanager.send(symptom)
    time.sleep(2 * FAST.group_interval)
    assert inbox.messages() == []
    alertmanager.end()
    alertmanager.start()
    alertmanager.send(symptom)  # the order in which Prometheus' groups happen to be sent
    time.sleep(0.5)
    alertmanager.send(twin)
    time.sleep(3 * FAST.group_interval + 3)
    leaked = [(one["channel"], one["status"]) for one in inbox.messages()]
    assert leaked == [] if start_delay else sorted(leaked) == ONCE
