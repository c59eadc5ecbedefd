"""A test page through real channels: what took it is told apart from what did not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alertmanager import trial
from alertmanager.generate import configuration, render
from alertmanager.receivers import TEMPLATES, Receivers
from alertmanager.teams import Team
from alerts.links import Links
from alerts.output import write
from alerts.timing import load

KEY = "0123456789abcdef0123456789abcdef"
URL = "http://alertmanager.example:9093"

Send = Callable[..., dict[str, trial.Outcome]]


@pytest.fixture
def send(tool: Callable[[str], Path], inbox: Any, events: Any, tmp_path: Path) -> Send:
    """Sends through the channels of a team whose secrets are these; outcomes by kind."""

    def sent(team: Team, **secrets: str) -> dict[str, trial.Outcome]:
        for name, text in ({"slack_url": f"{inbox.url}/slack"} | secrets).items():
            (tmp_path / name).write_text(text)
        receivers = Receivers(
            secrets=str(tmp_path),
            smarthost=inbox.smtp,
            pagerduty_url=f"{events.url}/events",
            templates=(str(TEMPLATES / "*.tmpl"), str(tmp_path / "*.tmpl")),
        )
        write(render(load(), Links(), receivers, {"chat": team}), tmp_path)
        document = configuration(load(), Links(), receivers, {"chat": team})
        return {one.channel.kind: one for one in trial.send_all(tool("alertmanager"), document, URL)}

    return sent


def test_a_test_page_arrives_marked_in_every_channel_once(send: Send, inbox: Any, events: Any) -> None:
    team = Team(
        email="chat@example.org",
        pagerduty_key_file="pagerduty",
        webhook_url=f"{events.url}/hook",
        webhook_token_file="token",
    )
    outcomes = send(team, pagerduty=KEY, token="t0ken")
    assert {kind: one.accepted for kind, one in outcomes.items()} == dict.fromkeys(
        ("slack", "email", "pagerduty", "webhook"), True
    )
    assert sorted((one["channel"], one["title"]) for one in inbox.messages()) == [
        ("email", "[TEST] This is a test, nothing is broken"),
        ("slack", "TEST  This is a test, nothing is broken"),
    ]
    pages = [event for event in events.events if "event_action" in event]
    assert [event["event_action"] for event in pages] == ["trigger", "resolve"], "no incident may stay open"
    assert pages[0]["routing_key"] == KEY
    assert pages[0]["payload"]["summary"] == "TEST: This is a test, nothing is broken"
    (hook,) = (event for event in events.events if "alerts" in event)
    assert hook["alerts"][0]["labels"]["test"] == "true"
    assert hook["externalURL"] == URL, "a message names the stack's own Alertmanager, not the one that sent it"


def test_a_channel_that_refuses_is_named_with_its_words_and_the_others_still_get_it(
    send: Send, inbox: Any, events: Any
) -> None:
    inbox.fail("slack", "403")
    team = Team(email="chat@example.org", webhook_url=f"{events.url}/hook", webhook_token_file="token")
    outcomes = send(team, token="wrong")
    assert {kind: one.accepted for kind, one in outcomes.items()} == {"slack": False, "email": True, "webhook": False}
    assert "403" in outcomes["slack"].words
    assert "invalid_token" in outcomes["slack"].words
    assert "401" in outcomes["webhook"].words
    assert inbox.url not in outcomes["slack"].words, "a webhook's URL is a secret"


def test_a_channel_that_never_answers_is_not_waited_for_forever(
    send: Send, inbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "PATIENCE_SECONDS", 1.0)
    inbox.fail("slack", "hang")
    outcomes = send(Team(email="chat@example.org"))
    assert (outcomes["slack"].accepted, outcomes["email"].accepted) == (False, True)
    assert outcomes["slack"].words


def test_a_configuration_that_alertmanager_refuses_is_told_in_its_words(tool: Callable[[str], Path]) -> None:
    broken = {
        "global": {"smtp_from": "a@example.org"},
        "templates": [],
        "receivers": [{"name": "page-chat", "email_configs": [{"to": "x@example.org"}]}],
    }
    with pytest.raises(RuntimeError, match="Alertmanager does not start: no global SMTP smarthost set"):
        trial.send_all(tool("alertmanager"), broken, URL)
