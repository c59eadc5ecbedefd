"""Every alert reaches the receiver it should, by the generated routes and amtool's own reading of them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from alertmanager.routing import equals, route_tree
from alertmanager.teams import load as load_teams
from alerts.rule import Alert
from alerts.rules import catalogue, groups
from alerts.timing import load

CONFIGURATION = Path(__file__).parents[2] / "alertmanager" / "generated" / "alertmanager.yml"
TEAMS = load_teams()
# An alert of several rules is routed by what they share.
ALERTS = list({(alert.name, alert.severity): alert for group in groups(load()) for alert in group.alerts}.values())
RECEIVER = {"page": "page-inference", "ticket": "ticket-inference", "none": "null"}

Find = Callable[[str], Path]


def check_route(tool: Find, receiver: str, *labels: str) -> subprocess.CompletedProcess[str]:
    command = [tool("amtool"), "config", "routes", "test", f"--config.file={CONFIGURATION}"]
    return subprocess.run([*command, f"--verify.receivers={receiver}", *labels], capture_output=True, text=True)


def labels_of(alert: Alert) -> list[str]:
    return [f"alertname={alert.name}", f"severity={alert.severity}", f"class={alert.cls}", "cluster=c", "service=s"]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.severity}")
def test_every_alert_reaches_the_receiver_of_its_severity(tool: Find, alert: Alert) -> None:
    receiver = "heartbeat" if alert.name == "Watchdog" else RECEIVER[alert.severity]
    ran = check_route(tool, receiver, *labels_of(alert))
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_catalogue_holds_pages_tickets_twins_and_the_watchdog() -> None:
    assert {alert.severity for alert in ALERTS} == {"page", "ticket", "none"}
    assert {"Watchdog", "EngineDown", "EngineDownMutesService"} <= {alert.name for alert in ALERTS}


@pytest.mark.parametrize("labels", [["severity=critical"], ["alertname=Foreign"], []], ids=str)
def test_an_alert_without_a_severity_of_ours_is_shown_to_people(tool: Find, labels: list[str]) -> None:
    assert check_route(tool, "unrouted", *labels).returncode == 0


def test_amtool_refuses_a_wrong_receiver(tool: Find) -> None:
    assert check_route(tool, "page-inference", "severity=ticket").returncode != 0


def test_amtool_accepts_the_committed_configuration(tool: Find) -> None:
    ran = subprocess.run([tool("amtool"), "check-config", CONFIGURATION], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "5 receivers" in ran.stdout


def test_roots_wait_10_seconds_and_symptoms_45() -> None:
    page = next(route for route in route_tree(load(), TEAMS)["routes"] if route["receiver"] == "page-inference")
    assert route_tree(load(), TEAMS)["group_wait"] == "10s"
    assert page["group_by"] == ["cluster", "alertname", "service"]
    assert page["repeat_interval"] == "4h"
    (symptom,) = page["routes"]
    assert symptom["matchers"] == ['class="symptom"']
    assert (symptom["group_wait"], symptom["group_by"]) == ("45s", ["cluster", "service"])


def test_a_symptom_ticket_waits_for_its_root_too() -> None:
    ticket = next(route for route in route_tree(load(), TEAMS)["routes"] if route["receiver"] == "ticket-inference")
    assert ticket["routes"] == [{"matchers": ['class="symptom"'], "group_wait": "45s"}]


def test_the_heartbeat_is_sent_at_every_tick() -> None:
    heartbeat = route_tree(load(), TEAMS)["routes"][0]
    assert heartbeat["group_wait"] == "0s"
    assert heartbeat["group_interval"] == "15s"
    assert heartbeat["repeat_interval"] == "12s"


def test_the_compressed_clock_gives_shorter_waits() -> None:
    tree = route_tree(load().compressed(), TEAMS)
    assert (tree["group_wait"], tree["group_interval"], tree["routes"][0]["repeat_interval"]) == ("3s", "5s", "4s")


def test_a_matcher_escapes_what_would_end_it() -> None:
    assert equals("host", 'a"b\\c\nd') == 'host="a\\"b\\\\c\\nd"'


def test_every_muted_alert_exists() -> None:
    known = catalogue(load())
    assert all(mute.alert in known for alert in known.values() for mute in alert.mutes)
