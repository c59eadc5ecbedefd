"""The dead man's switch as a process, with a real Slack webhook and mail server: the inbox."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from email import message_from_string, policy
from pathlib import Path
from typing import Any

import httpx
import pytest

from alertmanager.deadman import settings

TIMEOUT = 0.3
WATCHDOG = {"alerts": [{"status": "firing", "labels": {"alertname": "Watchdog"}}]}

SMTP = ["--smtp-smarthost", "127.0.0.1:25", "--smtp-from", "a@example.org", "--smtp-to", "b@example.org"]

Switch = Callable[..., AbstractContextManager[httpx.Client]]


@pytest.fixture
def switch(inbox: Any, start: Any, tmp_path: Path) -> Switch:
    """Starts the switch; gives a client to it."""
    (tmp_path / "slack_url").write_text(f"{inbox.url}/slack\n")

    @contextmanager
    def started(timeout: float = TIMEOUT) -> Iterator[httpx.Client]:
        command = ["alertmanager.deadman", "--listen-address", "127.0.0.1:0", "--timeout", str(timeout)]
        command += ["--slack-url-file", str(tmp_path / "slack_url"), "--smtp-smarthost", inbox.smtp]
        command += ["--smtp-from", "deadman@example.org", "--smtp-to", "oncall@example.org"]
        command += ["--runbook-url", "http://127.0.0.1:8025/runbooks"]
        with start(*command, says="deadman:") as line:
            url = re.search(r"http://[^/]+", line)
            assert url
            with httpx.Client(base_url=url[0], trust_env=False) as client:
                yield client

    return started


@pytest.fixture(scope="module")
def waiting(start: Any) -> Iterator[httpx.Client]:
    """A switch that will not page during the tests."""
    with start("alertmanager.deadman", "--listen-address", "127.0.0.1:0", *SMTP, says="deadman:") as line:
        url = re.search(r"http://[^/]+", line)
        assert url
        with httpx.Client(base_url=url[0], trust_env=False) as client:
            yield client


def beat(client: httpx.Client) -> None:
    assert client.post("/heartbeat", json=WATCHDOG).text == "ok\n"


def test_it_pages_once_and_resolves_once_in_both_channels(switch: Switch, inbox: Any) -> None:
    with switch(timeout=2) as client:
        beat(client)
        time.sleep(1.2)
        beat(client)
        time.sleep(1.2)
        assert inbox.messages() == []
        inbox.wait(2)
        time.sleep(0.5)
        beat(client)
        messages = inbox.wait(4)
    assert sorted((one["channel"], one["status"]) for one in messages) == [
        ("email", "firing"),
        ("email", "resolved"),
        ("slack", "firing"),
        ("slack", "resolved"),
    ]


def test_its_page_says_what_is_lost_and_where_to_read_on(switch: Switch, inbox: Any) -> None:
    with switch():
        messages = {one["channel"]: one for one in inbox.wait(2)}
    slack, mail = messages["slack"], messages["email"]
    assert re.fullmatch(r"PAGE  Alerting is blind: no heartbeat for \ds", slack["title"])
    assert "no alert of this stack reaches anyone" in slack["text"]
    assert "none since this watcher started" in slack["text"]
    (attachment,) = json.loads(slack["raw"])["attachments"]
    assert attachment["title_link"] == "http://127.0.0.1:8025/runbooks/Watchdog"
    assert mail["title"] == slack["title"].replace("PAGE ", "[PAGE]")
    assert "Runbook:  http://127.0.0.1:8025/runbooks/Watchdog" in mail["text"]
    assert "Alerting is blind" in mail["html"]
    headers = message_from_string(mail["raw"], policy=policy.default)
    assert (headers["X-Alert-Name"], headers["X-Alert-Status"]) == ("Watchdog", "firing")


@pytest.mark.parametrize("mode", ["429", "refuse"])
def test_a_failing_channel_gets_the_page_later_and_delays_no_other(
    switch: Switch, inbox: Any, mode: str, capfd: pytest.CaptureFixture[str]
) -> None:
    inbox.fail("slack", mode, count=1)
    with switch():
        first, second = inbox.wait(2)
    logged = capfd.readouterr().err
    assert "slack did not take 'PAGE'" in logged
    assert inbox.url not in logged, "a webhook's URL is a secret"
    assert (first["channel"], second["channel"]) == ("email", "slack")
    assert second["received_at"] - first["received_at"] > 0.5


def test_a_refused_mail_is_sent_again(switch: Switch, inbox: Any) -> None:
    inbox.fail("email", "500", count=1)
    with switch():
        first, second = inbox.wait(2)
    assert (first["channel"], second["channel"]) == ("slack", "email")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"alerts": [{"status": "resolved", "labels": {"alertname": "Watchdog"}}]}', 200),
        (b'{"alerts": [{"status": "firing", "labels": {"alertname": "EngineDown"}}]}', 200),
        (b'{"alerts": []}', 200),
        (b"not json", 400),
        (b"{}", 400),
        (b'{"alerts": 5}', 400),
        (b'{"alerts": [{"labels": "x", "status": "firing"}]}', 400),
        (b"x" * 256_001, 413),
    ],
    ids=lambda value: str(value)[:60],
)
def test_only_a_firing_watchdog_counts(waiting: httpx.Client, body: bytes, status: int) -> None:
    assert waiting.post("/heartbeat", content=body).status_code == status
    assert "last_heartbeat_timestamp_seconds " not in waiting.get("/metrics").text


def test_its_metrics_tell_what_it_did(switch: Switch, inbox: Any) -> None:
    with switch(timeout=1) as client:
        before = time.time()
        beat(client)
        inbox.wait(2)
        time.sleep(0.2)
        lines = [line for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    values = dict(line.rsplit(" ", 1) for line in lines)
    assert before <= float(values.pop("inferwatch_deadman_last_heartbeat_timestamp_seconds")) <= time.time()
    assert values == {
        "inferwatch_deadman_timeout_seconds": "1.0",
        "inferwatch_deadman_blind": "1.0",
        "inferwatch_deadman_pages_total": "1.0",
        'inferwatch_deadman_deliveries_total{channel="slack"}': "1.0",
        'inferwatch_deadman_deliveries_total{channel="email"}': "1.0",
        'inferwatch_deadman_delivery_failures_total{channel="slack"}': "0.0",
        'inferwatch_deadman_delivery_failures_total{channel="email"}': "0.0",
    }


def test_health_is_answered(waiting: httpx.Client) -> None:
    assert waiting.get("/healthz").text == "ok\n"
    assert waiting.get("/nowhere").status_code == 404


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "no channel"),
        (["--slack-url-file", "no-such-file"], "--slack-url-file: cannot read no-such-file"),
        (["--smtp-smarthost", "mail:25"], "needs --smtp-from and --smtp-to"),
        ([*SMTP, "--smtp-user", "x"], "--smtp-password-file"),
        ([*SMTP, "--timeout", "soon"], "--timeout"),
        ([*SMTP, "--timeout", "0"], "--timeout"),
        ([*SMTP, "--timeout", "nan"], "--timeout"),
        ([*SMTP, "--listen-address", "9838"], "--listen-address"),
        ([*SMTP, "--smtp-require-tls", "maybe"], "--smtp-require-tls"),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, list) else value,
)
def test_a_wrong_setting_ends_with_status_2_and_is_named(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        settings.read(arguments, {})
    assert end.value.code == 2
    assert complaint in capsys.readouterr().err


def test_flags_can_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "flags").write_text("\n".join([*SMTP, "--timeout", "20"]) + "\n")
    assert settings.read([f"@{tmp_path / 'flags'}"], {}).timeout == 20


def test_a_flag_outranks_its_environment_variable() -> None:
    environment = {"DEADMAN_TIMEOUT": "10", "DEADMAN_SMTP_TO": "other@example.org", "RUNBOOK_URL": "http://r/"}
    made = settings.read([*SMTP, "--timeout", "20"], environment)
    assert (made.timeout, made.runbook_url, made.channels[0].to) == (20, "http://r", "b@example.org")
    assert settings.read(SMTP, environment).timeout == 10
