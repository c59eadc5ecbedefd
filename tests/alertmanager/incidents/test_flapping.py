"""Engines that flap are one incident: one page, hardly an update, one resolve.

That holds for every period whose good half is shorter than keep_firing_for. Every interval of the clock is a quarter of
the real one, and so are the periods: what is shortened is the waiting only.
"""

import time
from collections import Counter
from dataclasses import fields, replace
from typing import Any

import pytest

from alerts.rules import catalogue
from alerts.timing import Timing, load

pytestmark = [pytest.mark.long, pytest.mark.timeout(500)]

FASTER = 4
REAL = catalogue(load())["EngineDown"]
HELD = {f"every-{period}s": period for period in (40, 100, 300) if period / 2 < REAL.keep_firing}
"""Services by their period, in real seconds; down in the first half of each."""
SHORT = "every-20s"
"""Never down for as long as `for`: it may be told of or not, but no more than once."""
PERIODS = HELD | {SHORT: 20}
OBSERVED = 900
"""Real seconds of flapping: three of the longest periods."""
CHANNELS = ("slack", "email")


def faster(timing: Timing) -> Timing:
    """Every interval divided alike; `for`, holds and windows by their divisors."""
    seconds = [field.name for field in fields(Timing) if field.name.partition("_")[2] != "per_window"]
    shorter = {name: getattr(timing, name) / FASTER for name in seconds if not name.endswith("_divisor")}
    # A driver call's time limit is a constant, and a root must be known before what it mutes is sent.
    shorter["root_group_wait"] = 3
    return replace(timing, **shorter, for_divisor=FASTER, hold_divisor=FASTER)


TIMING = faster(load())


def test_engines_that_flap_are_one_incident(
    inbox: Any, events: Any, start_alertmanager: Any, start_prometheus: Any, engines: Any, engine_jobs: Any
) -> None:
    alertmanager = start_alertmanager(
        TIMING, slack_url=f"{inbox.url}/slack", smtp=inbox.smtp, heartbeat_url=f"{events.url}/events"
    )
    start_prometheus(TIMING, engine_jobs(engines, *PERIODS), [alertmanager.url])
    time.sleep(2 * TIMING.scrape_interval)
    began = time.monotonic()
    while (now := FASTER * (time.monotonic() - began)) < OBSERVED:
        engines.down = {service for service, period in PERIODS.items() if now % period < period / 2}
        time.sleep(0.1)
    told = heard(inbox)
    assert {key: n for key, n in told.items() if key[2] == "resolved"} == {}
    for channel in CHANNELS:
        assert told[SHORT, channel, "firing"] <= 1, told
        for service in HELD:
            assert 1 <= told[service, channel, "firing"] <= 2, told  # the page, and one update at most
    engines.down = set()
    time.sleep(catalogue(TIMING)["EngineDown"].drain(TIMING) + 2 * TIMING.group_interval + 5)
    after = heard(inbox) - told
    assert after == {(service, channel, "resolved"): 1 for service, channel, _ in told}


def test_replicas_that_take_turns_to_fail_page_for_the_capacity_that_is_lost(
    inbox: Any, events: Any, start_alertmanager: Any, start_prometheus: Any, engines: Any, engine_jobs: Any
) -> None:
    """One of them is always about to page and none ever does; that must not mute what their users feel."""
    alertmanager = start_alertmanager(
        TIMING, slack_url=f"{inbox.url}/slack", smtp=inbox.smtp, heartbeat_url=f"{events.url}/events"
    )
    names = [f"replica-{number}" for number in range(4)]
    jobs = engine_jobs(engines, *names)
    for job in jobs:
        job["static_configs"][0]["labels"]["service"] = "chat"
    start_prometheus(TIMING, jobs, [alertmanager.url])
    time.sleep(2 * TIMING.scrape_interval)
    capacity_lost = catalogue(load())["ServiceCapacityLost"]
    # Each is down for 12 of every 24 seconds and so for at most three scrapes, and two of them at every moment.
    began = time.monotonic()
    while (now := FASTER * (time.monotonic() - began)) < capacity_lost.bound(load()) + 2 * load().group_interval:
        engines.down = {name for number, name in enumerate(names) if (now - 6 * number) % 24 < 12}
        time.sleep(0.05)

    told = Counter((one["title"].partition(":")[0], one["channel"], one["status"]) for one in inbox.messages())
    assert told == {("PAGE  Capacity lost", "slack", "firing"): 1, ("[PAGE] Capacity lost", "email", "firing"): 1}


def heard(inbox: Any) -> Counter[tuple[str, str, str]]:
    """Messages by service, channel and status."""
    return Counter(
        (next((service for service in PERIODS if service in one["title"]), one["title"]), one["channel"], one["status"])
        for one in inbox.messages()
    )
