"""250 hosts vanish at once, at the real clock: three messages at most, all hosts counted, no other page hidden."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from alerts.rules import catalogue
from alerts.timing import load

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

TIMING = load()
HOSTS, SERVICES, SURVIVORS = 250, 25, 60
BUSY_SECONDS = 5
"""For a machine that is busy."""
EngineDown = catalogue(TIMING)["EngineDown"]
FleetTargetsDown = catalogue(TIMING)["FleetTargetsDown"]


@pytest.fixture
def fleet(engines: Any) -> Iterator[Any]:
    """Another server like `engines`, for the hosts that will vanish with it."""
    server = type(engines)()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def targets(address: str, hosts: range, port: int, **labels: str) -> list[dict[str, Any]]:
    """Hosts that one address answers for, ten to a service."""
    return [
        {
            "targets": [address],
            "labels": {
                "cluster": "default",
                "namespace": "default",
                "service": f"service-{number % SERVICES:02}",
                "host": f"node-{number}",
                "instance": f"node-{number}:{port}",
                **labels,
            },
        }
        for number in hosts
    ]


def test_250_hosts_of_many_services_are_one_page_and_hide_no_other(
    start_alertmanager: Any,
    start_prometheus: Any,
    events: Any,
    busy_slack: Any,
    inbox: Any,
    engines: Any,
    engine_jobs: Any,
    fleet: Any,
) -> None:
    heartbeat = f"{events.url}/events"
    alertmanager = start_alertmanager(TIMING, slack_url=busy_slack.url, smtp=inbox.smtp, heartbeat_url=heartbeat)
    lost, kept = range(HOSTS), range(HOSTS, HOSTS + SURVIVORS)
    nodes = targets(fleet.address, lost, 9100) + targets(engines.address, kept, 9100)
    replicas = targets(fleet.address, lost, 8000, engine="vllm")
    jobs = [
        {"job_name": "node-exporter", "static_configs": nodes},
        {"job_name": "engines", "static_configs": replicas},
        *engine_jobs(engines, "search"),
    ]
    start_prometheus(TIMING, jobs, [alertmanager.url])
    time.sleep(4 * TIMING.scrape_interval)
    fleet.shutdown()
    fleet.server_close()
    vanished = time.monotonic()
    time.sleep(TIMING.root_group_wait)
    engines.down.add("search")
    failed = time.monotonic()
    time.sleep(EngineDown.bound(TIMING) + BUSY_SECONDS + 2 * TIMING.group_interval)

    heard = {
        "slack": [(at, one["title"], one["text"]) for at, one in busy_slack.taken],
        "email": [(arrived(one), one["title"], one["text"]) for one in inbox.messages("email")],
    }
    for channel, messages in heard.items():
        unrelated = [(at, title) for at, title, _ in messages if "search" in title]
        fleets = [(at, title, text) for at, title, text in messages if "search" not in title]
        assert [title.split(" ", 1)[1].strip() for _, title in unrelated] == ["Engine down: search on node-1"], channel
        assert unrelated[0][0] - failed < EngineDown.bound(TIMING) + BUSY_SECONDS, channel
        assert 1 <= len(fleets) <= 3, [title for _, title, _ in fleets]
        assert fleets[0][0] - vanished < FleetTargetsDown.bound(TIMING) + BUSY_SECONDS, channel
        for job in ("node-exporter", "engines"):
            told = f"Mass failure: many {job} targets in default: {HOSTS} targets down"
            assert any(told in text for _, _, text in fleets), (channel, told, fleets)


def arrived(message: dict[str, Any]) -> float:
    """When a message of the inbox arrived, by the clock that the test reads."""
    return message["received_at"] - time.time() + time.monotonic()
