"""The routes inside another configuration: amtool reads them as if alone, and what was there stays as it was."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from alertmanager.export import fragment, merge, templates
from alertmanager.generate import dump
from alertmanager.receivers import Receivers
from alertmanager.routing import route_tree
from alertmanager.teams import Team, TicketHours, load
from alerts.links import Links
from alerts.rules import groups
from alerts.timing import load as load_timing

EXISTING = """
# comments are lost, meaning is not
global:
  resolve_timeout: 5m
route:
  receiver: theirs
  routes:
  - matchers: [severity="page"]
    receiver: theirs-page
    mute_time_intervals: [lunch]
receivers:
- name: theirs
- name: theirs-page
  webhook_configs: [{url: "http://127.0.0.1:9/", send_resolved: yes, max_alerts: 10}]
time_intervals:
- name: lunch
  time_intervals:
  - times: [{start_time: 12:00, end_time: 13:30}]
inhibit_rules:
- source_matchers: [alertname="A"]
  target_matchers: [alertname="B"]
  equal: [host]
"""
TIMING = load_timing()
Find = Callable[[str], Path]


def part(templates_at: Path = Path("/etc/alertmanager"), **teams: Team) -> dict:
    receivers = Receivers(smarthost="mail.example.org:587", templates=(f"{templates_at}/*.tmpl",))
    return fragment(TIMING, Links(), receivers, teams or load())


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    for name, text in templates(Links()).items():
        (tmp_path / name).write_text(text)
    (tmp_path / "merged.yml").write_text(dump(merge(EXISTING, part(tmp_path))))
    return tmp_path / "merged.yml"


def goes_to(tool: Find, configuration: Path, receiver: str, *labels: str) -> bool:
    command = [tool("amtool"), "config", "routes", "test", f"--config.file={configuration}"]
    return subprocess.run([*command, f"--verify.receivers={receiver}", *labels], capture_output=True).returncode == 0


def test_amtool_accepts_the_merged_configuration_and_its_templates(tool: Find, merged: Path) -> None:
    ran = subprocess.run([tool("amtool"), "check-config", merged], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "7 receivers" in ran.stdout
    assert "1 templates" in ran.stdout


def test_every_alert_of_the_catalogue_reaches_its_receiver(tool: Find, merged: Path) -> None:
    for group in groups(TIMING):
        for alert in group.alerts:
            wanted = {"page": "page-inference", "ticket": "ticket-inference", "none": "null"}[alert.severity]
            wanted = "heartbeat" if alert.name == "Watchdog" else wanted
            labels = (f"alertname={alert.name}", f"severity={alert.severity}", f"class={alert.cls}")
            assert goes_to(tool, merged, f"inferwatch-{wanted}", *labels), alert.name


def test_their_alerts_go_where_they_went(tool: Find, merged: Path) -> None:
    assert goes_to(tool, merged, "theirs-page", "severity=page", "alertname=Foreign")
    assert goes_to(tool, merged, "theirs", "severity=ticket")


def test_what_was_there_stays_as_alertmanager_read_it() -> None:
    document = merge(EXISTING, part())
    before = yaml.load(EXISTING, Loader=yaml.BaseLoader)
    assert document["global"] == {"resolve_timeout": "5m"}
    assert document["time_intervals"][0]["time_intervals"] == [
        {"times": [{"start_time": "12:00", "end_time": "13:30"}]}
    ]
    assert document["inhibit_rules"][0] == before["inhibit_rules"][0]
    assert document["route"]["routes"][1] == before["route"]["routes"][0]
    assert document["receivers"][1]["webhook_configs"][0]["send_resolved"] is True


def test_a_second_merge_changes_nothing() -> None:
    once = dump(merge(EXISTING, part()))
    assert dump(merge(once, part())) == once


def test_a_later_merge_replaces_teams_that_are_gone() -> None:
    hours = TicketHours(weekdays=["monday:friday"], start="09:00", end="17:00")
    both = merge(EXISTING, part(a=Team(email="a@example.org"), b=Team(email="b@example.org", ticket_hours=hours)))
    assert "inferwatch-ticket-hours-b" in dump(both)
    later = dump(merge(dump(both), part(a=Team(email="a@example.org"))))
    assert "inferwatch-page-a" in later
    assert "-b" not in later


def test_receivers_need_nothing_of_the_other_global_section() -> None:
    page = next(one for one in part()["receivers"] if one["name"] == "inferwatch-page-inference")
    assert page["email_configs"][0]["smarthost"] == "mail.example.org:587"
    assert page["slack_configs"][0]["title"] == '{{ template "inferwatch-slack.title" . }}'


def test_without_a_mail_server_of_their_own_they_use_that_of_the_global_section() -> None:
    made = fragment(TIMING, Links(), Receivers(), load())
    emails = [one for receiver in made["receivers"] for one in receiver.get("email_configs", ())]
    assert emails
    assert not {name for one in emails for name in one} & {"smarthost", "from", "require_tls"}


def test_no_template_keeps_a_name_that_another_may_have() -> None:
    text = "".join(templates(Links()).values())
    assert text.count('define "inferwatch-') == text.count('define "')
    assert text.count('template "inferwatch-') == text.count('template "')


def test_the_tree_below_the_route_is_the_tree_of_the_stack() -> None:
    (route,) = part()["route"]["routes"]
    alone = route_tree(TIMING, load())
    assert [one["receiver"] for one in route["routes"]] == [f"inferwatch-{one['receiver']}" for one in alone["routes"]]
    assert route["matchers"] == ['class=~"root|symptom|meta|inhibitor"']


@pytest.mark.parametrize("text", ["", "[]", "route: x", "receivers: []", "{"])
def test_a_file_that_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no YAML|no Alertmanager configuration"):
        merge(text, part())
