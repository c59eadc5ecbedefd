"""From a real Alertmanager to a real Slack webhook and mail server: what arrives, and what one lost channel costs."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from email import message_from_string, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from alerts.timing import load

TIMING = replace(load().compressed(), symptom_group_wait=7, group_interval=1, heartbeat_interval=1)
Build = Callable[..., dict[str, Any]]


class Beats(BaseHTTPRequestHandler):
    """Notes when a heartbeat arrives."""

    times: ClassVar[list[float]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.times.append(time.monotonic())
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def heartbeat_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Beats) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/heartbeat"
        server.shutdown()


@pytest.fixture(scope="module")
def alertmanager(start_alertmanager: Any, inbox_process: Any, heartbeat_url: str, firing: Build) -> Any:
    server = start_alertmanager(
        TIMING, slack_url=f"{inbox_process.url}/slack", smtp=inbox_process.smtp, heartbeat_url=heartbeat_url
    )
    server.send(firing("Watchdog"))
    return server


def by(messages: list[dict[str, Any]], channel: str, status: str) -> dict[str, Any]:
    (one,) = (one for one in messages if (one["channel"], one["status"]) == (channel, status))
    return one


def test_a_page_and_its_end_reach_both_channels_once(inbox: Any, alertmanager: Any, firing: Build) -> None:
    page = firing("EngineDown", host="node-7", instance="node-7:8000")
    alertmanager.send(page)
    inbox.wait(2)
    alertmanager.send(page, ended=True)
    messages = inbox.wait(4)
    time.sleep(1.5 * TIMING.group_interval)
    assert len(inbox.messages()) == 4
    slack, mail = by(messages, "slack", "firing"), by(messages, "email", "firing")
    assert slack["title"] == "PAGE  Engine down: chat on node-7"
    assert mail["title"] == "[PAGE] Engine down: chat on node-7"
    assert by(messages, "slack", "resolved")["title"] == "RESOLVED after 1m  Engine down: chat on node-7"
    assert by(messages, "email", "resolved")["title"] == "[RESOLVED] Engine down: chat on node-7"
    assert_slack(slack, alertmanager)
    assert_mail(mail)


def assert_slack(message: dict[str, Any], alertmanager: Any) -> None:
    (attachment,) = json.loads(message["raw"])["attachments"]
    assert attachment["color"] == "#D00000"
    assert attachment["title_link"] == "http://127.0.0.1:8025/runbooks/EngineDown"
    assert [action["text"] for action in attachment["actions"]] == [
        "Runbook",
        "Dashboard",
        "Query",
        "Traces",
        "Silence 1 h",
    ]
    assert attachment["fallback"].startswith("PAGE  Engine down: chat on node-7. Requests to this replica")


def assert_mail(message: dict[str, Any]) -> None:
    mail = message_from_string(message["raw"], policy=policy.default)
    assert mail["X-Alert-Name"] == "EngineDown"
    assert mail["X-Alert-Severity"] == "page"
    assert mail["X-Alert-Status"] == "firing"
    assert mail["X-Alert-Group"] == "alertname=EngineDown cluster=default service=chat"
    assert re.fullmatch("[0-9a-f]{16}", mail["X-Alert-Fingerprint"])
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["References"] == "<EngineDown.default.chat.alert@inferwatch>"
    assert message["text"].startswith("PAGE: Engine down: chat on node-7\n\nImpact:   Requests to this replica")
    assert message["html"].startswith("<!DOCTYPE html>")


def test_a_ticket_reaches_slack_alone(inbox: Any, alertmanager: Any, firing: Build) -> None:
    alertmanager.send(firing("TargetDown", job="node-exporter"))
    (message,) = inbox.wait(1)
    time.sleep(1)
    assert [one["channel"] for one in inbox.messages()] == ["slack"]
    assert message["title"] == "TICKET  Target down: node-exporter on node-3"


@pytest.mark.parametrize(("mode", "host"), [("403", "node-1"), ("429", "node-2")])
def test_a_slack_that_refuses_does_not_cost_the_page(
    inbox: Any, alertmanager: Any, firing: Build, mode: str, host: str
) -> None:
    inbox.fail("slack", mode, count=1)
    alertmanager.send(firing("GpuOverheating", host=host, service=host))
    first, later = inbox.wait(2)
    assert (first["channel"], first["title"]) == ("email", f"[PAGE] GPU overheating: GPU 2 on {host}")
    assert later["channel"] == "slack"
    assert later["received_at"] - first["received_at"] > 0.5, "Alertmanager waits for the next group_interval"


def test_hostile_labels_arrive_as_text(inbox: Any, alertmanager: Any, firing: Build) -> None:
    hostile = '<!channel> "><script>alert(1)</script>\nBcc: all@example.org\n\n' + "x" * 10_000
    alertmanager.send(firing("EngineHung", service=hostile))
    messages = inbox.wait(2)
    (attachment,) = json.loads(by(messages, "slack", "firing")["raw"])["attachments"]
    assert "<!channel>" not in json.dumps(attachment)
    assert "&lt;!channel&gt;" in attachment["title"]
    mail = by(messages, "email", "firing")
    assert "<script" not in mail["html"]
    assert message_from_string(mail["raw"], policy=policy.default)["Bcc"] is None


def test_an_unrouted_alert_is_shown_with_the_reason(inbox: Any, alertmanager: Any, firing: Build) -> None:
    foreign = firing("EngineDown", service="other")
    foreign["labels"]["severity"] = "critical"
    alertmanager.send(foreign)
    (message,) = inbox.wait(1)
    assert message["title"].startswith("TICKET  Engine down")
    assert "matches no route" in message["text"]


def test_a_twin_mutes_the_symptom_of_its_own_service_only(inbox: Any, alertmanager: Any, firing: Build) -> None:
    alertmanager.send(firing("EngineDownMutesService", service="muted"))
    time.sleep(
        0.5
    )  # alerts that are older than group_wait are sent at once, perhaps before the inhibitor has read them
    alertmanager.send(firing("ServiceDown", service="muted"), firing("ServiceDown", service="heard"))
    inbox.wait(2)
    time.sleep(1.5 * TIMING.group_interval)
    assert {one["title"].split("  ")[-1].split("] ")[-1] for one in inbox.messages()} == {
        "Service down: heard answers no probe"
    }


def test_the_heartbeat_leaves_at_every_tick_and_reaches_nobody(inbox: Any, alertmanager: Any) -> None:
    deadline = time.monotonic() + 10
    while len(Beats.times) < 5 and time.monotonic() < deadline:
        time.sleep(0.1)
    first, *_, last = Beats.times
    assert (last - first) / (len(Beats.times) - 1) < 1.5 * TIMING.heartbeat_interval
    assert inbox.messages() == []
