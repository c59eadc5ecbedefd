"""Teams: a file with a mistake is refused by name; every alert reaches the team it belongs to, by amtool's reading."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from alertmanager.generate import render
from alertmanager.receivers import Receivers, check_secrets
from alertmanager.teams import Team, load
from alerts.links import Links
from alerts.output import write
from alerts.timing import load as load_timing

THREE = """
teams:
  inference: {email: oncall@example.org}
  chat:
    email: chat@example.org, lead@example.org
    slack_url_file: slack_chat
    pagerduty_key_file: pagerduty_chat
    webhook_url: https://hooks.example.org/chat
    matchers: ['service=~"chat(-.*)?"', 'cluster!="lab"']
    ticket_hours: {weekdays: ["monday:friday"], start: "09:00", end: "17:00", location: Europe/Berlin}
  hardware:
    email: hardware@example.org
"""

Find = Callable[[str], Path]


@pytest.fixture
def three(tmp_path: Path) -> dict[str, Team]:
    (tmp_path / "teams.yaml").write_text(THREE)
    return load(tmp_path / "teams.yaml")


@pytest.fixture
def configured(three: dict[str, Team], tmp_path: Path) -> Path:
    write(render(load_timing(), Links(), Receivers(templates=(str(tmp_path / "*.tmpl"),)), three), tmp_path)
    return tmp_path / "alertmanager.yml"


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("severity=page team=inference service=search", "page-inference"),
        ("severity=page team=inference service=chat-eu cluster=prod", "page-chat"),
        ("severity=page team=inference service=chat-eu cluster=lab", "page-inference"),
        ("severity=page team=chat service=search class=symptom", "page-chat"),
        ("severity=page team=hardware class=symptom", "page-hardware"),
        ("severity=page team=nobody", "page-inference"),
        ("severity=page", "page-inference"),
        ("severity=ticket team=hardware", "ticket-hardware"),
        ("severity=ticket team=inference service=chat class=symptom", "ticket-chat"),
        ("severity=none team=hardware", "null"),
        ("alertname=Watchdog severity=none team=chat", "heartbeat"),
        ("severity=warning team=chat", "unrouted"),
    ],
)
def test_an_alert_reaches_its_team(tool: Find, configured: Path, labels: str, receiver: str) -> None:
    command = [tool("amtool"), "config", "routes", "test", f"--config.file={configured}"]
    ran = subprocess.run([*command, f"--verify.receivers={receiver}", *labels.split()], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_hours_hold_for_every_ticket_of_the_team_and_for_no_page(three: dict[str, Team], configured: Path) -> None:
    text = configured.read_text()
    pages, tickets = text.split("receiver: ticket-inference", 1)
    assert pages.count("active_time_intervals") == 0
    assert tickets.count("active_time_intervals:\n") == 4  # by matchers and by label, each for roots and for symptoms
    assert "name: ticket-hours-chat" in text
    assert "location: Europe/Berlin" in text
    assert three["chat"].ticket_hours is not None


def test_amtool_accepts_every_setting_of_a_team(tool: Find, configured: Path) -> None:
    ran = subprocess.run([tool("amtool"), "check-config", configured], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "9 receivers" in ran.stdout


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("teams: {}", "teams: Dictionary should have at least 1 item"),
        ("", "file: Input should be"),
        ("teams: {a: {}}", "teams.a.email: Field required"),
        ("teams: {Chat: {email: a@b}}", "teams.Chat"),
        ("teams: {a: {email: oncall}}", "teams.a.email: Value error, expected a mail address"),
        ("teams: {a: {email: a@b, slack: x}}", "teams.a.slack: Extra inputs are not permitted"),
        ("teams: {a: {email: a@b, slack_url_file: ../x}}", "teams.a.slack_url_file"),
        ("teams: {a: {email: a@b, webhook_url: ftp://x}}", "teams.a.webhook_url: Value error, expected an http"),
        ("teams: {a: {email: a@b, webhook_token_file: t}}", "webhook_token_file without webhook_url"),
        ("teams: {a: {email: a@b, matchers: [service=chat]}}", 'expected label="value"'),
        (
            "teams: {a: {email: a@b, ticket_hours: {weekdays: [monday], start: '17:00', end: '09:00'}}}",
            "start 17:00 is not before end 09:00",
        ),
        (
            "teams: {a: {email: a@b, ticket_hours: {weekdays: [monday], start: '07:00', end: '09:00', location: X}}}",
            "no time zone called 'X'",
        ),
        ("teams: [", "no YAML"),
    ],
    ids=lambda value: value[:50],
)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "teams.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"teams\.yaml: ") as refused:
        load(tmp_path / "teams.yaml")
    assert complaint in str(refused.value)


def test_every_missing_or_empty_secret_is_named_at_once(three: dict[str, Team], tmp_path: Path) -> None:
    (tmp_path / "slack_url").write_text("https://hooks.example.org/services/x\n")
    (tmp_path / "slack_chat").write_text("xoxb-no-url")
    (tmp_path / "smtp_password").write_text("\n")
    with pytest.raises(ValueError, match=r"no http\(s\) URL") as refused:
        check_secrets(Receivers(secrets=str(tmp_path), smtp_user="oncall"), three)
    assert str(refused.value).splitlines() == [
        f"chat: slack_url_file: secret {tmp_path}/slack_chat: holds no http(s) URL",
        f"chat: pagerduty_key_file: secret {tmp_path}/pagerduty_chat: No such file or directory",
        f"mail server: SMTP_USER: secret {tmp_path}/smtp_password: is empty",
    ]
    assert "xoxb" not in str(refused.value)


def test_an_unreadable_secret_is_named(three: dict[str, Team], tmp_path: Path) -> None:
    (tmp_path / "slack_url").mkdir()  # unreadable for root too
    with pytest.raises(ValueError, match="slack_url: Is a directory"):
        check_secrets(Receivers(secrets=str(tmp_path)), {"inference": three["inference"]})


def test_into_the_inbox_goes_only_what_the_inbox_takes(three: dict[str, Team]) -> None:
    chat = three["chat"].inbox_only()
    assert chat.secret_files == {"slack_url_file": "slack_url"}
    assert (chat.pagerduty_key_file, chat.webhook_url, chat.ticket_hours) == ("", "", None)
    assert chat.email == "chat@example.org, lead@example.org"
