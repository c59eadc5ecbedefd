"""The inbox's API, over real HTTP and SMTP."""

import json
import smtplib
import subprocess
import sys
import time
from email.message import EmailMessage
from typing import Any

import httpx
import pytest

from alertmanager.inbox.messages import Content, Mailbox

FIRING = {"attachments": [{"title": "PAGE  Engine down: chat", "text": "*Impact:* all", "color": "#D00000"}]}


def mail(subject: str = "[PAGE] Engine down", **headers: str) -> EmailMessage:
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = subject, "am@example.org", "oncall@example.org"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content("plain words\n")
    made.add_alternative("<p>html words</p>\n", subtype="html")
    return made


def send(inbox: Any, message: EmailMessage, timeout: float = 5) -> None:
    host, port = inbox.smtp.rsplit(":", 1)
    with smtplib.SMTP(host, int(port), timeout=timeout) as session:
        session.send_message(message)


def test_a_slack_post_is_answered_ok_and_kept(inbox: Any) -> None:
    before = time.time()
    answer = inbox.post(FIRING)
    assert (answer.status_code, answer.text) == (200, "ok")
    (message,) = inbox.messages()
    assert before <= message.pop("received_at") <= time.time()
    assert isinstance(message.pop("id"), int)
    assert json.loads(message.pop("raw")) == FIRING
    assert message == {
        "channel": "slack",
        "status": "firing",
        "title": "PAGE  Engine down: chat",
        "text": "*Impact:* all",
        "html": None,
    }


def test_a_mail_is_kept_with_both_parts(inbox: Any) -> None:
    send(inbox, mail())
    (message,) = inbox.wait(1)
    assert (message["channel"], message["status"], message["title"]) == ("email", "firing", "[PAGE] Engine down")
    assert message["text"] == "plain words\n"
    assert message["html"] == "<p>html words</p>\n"
    assert message["raw"].startswith("Subject: [PAGE] Engine down")


@pytest.mark.parametrize(
    ("title", "status"),
    [
        ("PAGE  Engine down", "firing"),
        ("TICKET  Target down", "firing"),
        ("[FIRING:2] foreign", "firing"),
        ("RESOLVED after 6m  Engine down", "resolved"),
        ("[RESOLVED] Engine down", "resolved"),
        ("Lunch at noon", None),
        ("PAGER duty", None),
    ],
)
def test_the_first_word_of_a_title_tells_the_status(inbox: Any, title: str, status: str | None) -> None:
    inbox.post({"attachments": [{"title": title}]})
    assert inbox.messages()[0]["status"] == status


def test_the_status_header_of_a_mail_outranks_its_subject(inbox: Any) -> None:
    send(inbox, mail("Engine down", X_Alert_Status="resolved"))
    assert inbox.wait(1)[0]["status"] == "resolved"


def test_messages_come_in_order_and_by_channel(inbox: Any) -> None:
    inbox.post({"text": "first"})
    send(inbox, mail("second"))
    inbox.post({"text": "third"})
    assert [one["title"] for one in inbox.wait(3)] == ["first", "second", "third"]
    assert [one["title"] for one in inbox.messages("email")] == ["second"]
    newest = inbox.http.get("/api/messages?limit=1").json()
    assert [one["title"] for one in newest] == ["third"]
    assert newest[0]["id"] == inbox.messages()[0]["id"] + 2


def test_delete_forgets_every_message(inbox: Any) -> None:
    inbox.post(FIRING)
    assert inbox.http.delete("/api/messages").status_code == 204
    assert inbox.messages() == []


def test_an_unchanged_list_is_not_sent_again(inbox: Any) -> None:
    inbox.post(FIRING)
    first = inbox.http.get("/api/messages")
    tag = {"If-None-Match": first.headers["ETag"]}
    assert inbox.http.get("/api/messages", headers=tag).status_code == 304
    inbox.post(FIRING)
    assert inbox.http.get("/api/messages", headers=tag).status_code == 200


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"not json", "invalid_payload"),
        (b"[]", "invalid_payload"),
        (b"\xff\xfe", "invalid_payload"),
        (b'{"text": 5}', "invalid_payload"),
        (b"{}", "no_text"),
        (b'{"text": " "}', "no_text"),
        (b'{"attachments": "x"}', "invalid_attachments"),
        (b'{"attachments": [{"color": "good"}]}', "invalid_attachments"),
        (b'{"attachments": [{"title": 5, "text": "x"}]}', "invalid_attachments"),
        (b'{"attachments": [{"text": "x", "actions": ["y"]}]}', "invalid_attachments"),
        (json.dumps({"attachments": [{"text": "x"}] * 101}).encode(), "too_many_attachments"),
        (json.dumps({"text": "x" * 40_001}).encode(), "msg_too_long"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_slack_would_refuse_is_refused_in_slacks_words(inbox: Any, body: bytes, error: str) -> None:
    answer = inbox.http.post("/slack", content=body)
    assert (answer.status_code, answer.text) == (400, error)
    assert inbox.messages() == []


def test_a_body_above_the_bound_is_refused(inbox: Any) -> None:
    assert inbox.http.post("/slack", content=b"x" * 1_000_001).status_code == 413


def test_a_mail_above_the_bound_is_refused(inbox: Any) -> None:
    large = mail()
    large.add_attachment(b"x" * 1_000_000, maintype="application", subtype="octet-stream")
    with pytest.raises(smtplib.SMTPResponseException) as refusal:
        send(inbox, large)
    assert refusal.value.smtp_code == 552
    assert inbox.messages() == []


def test_a_mail_in_an_unknown_charset_is_still_shown(inbox: Any) -> None:
    odd = EmailMessage()
    odd["Subject"], odd["From"], odd["To"] = "odd", "a@example.org", "b@example.org"
    odd.set_content("words\n")
    odd.replace_header("Content-Type", "text/plain; charset=no-such-charset")
    send(inbox, odd)
    assert inbox.wait(1)[0]["text"].startswith("words")


def test_the_oldest_messages_go_first() -> None:
    box = Mailbox(clock=lambda: 7.0, kept=2)
    for title in ("a", "b", "c"):
        box.add(Content("slack", None, title, "", None, ""))
    assert [(one.id, one.title, one.received_at) for one in box.messages()] == [(2, "b", 7.0), (3, "c", 7.0)]


def test_a_runbook_is_served_as_a_page(inbox: Any) -> None:
    page = inbox.http.get("/runbooks/EngineDown")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<h2>Mitigation</h2>" in page.text


@pytest.mark.parametrize("name", ["NoSuchAlert", "..%2F..%2FREADME", "%3Cscript%3E"])
def test_a_missing_runbook_says_so_and_lists_the_others(inbox: Any, name: str) -> None:
    page = inbox.http.get(f"/runbooks/{name}")
    assert page.status_code == 404
    if "2F" not in name:
        assert '<a href="/runbooks/EngineDown">' in page.text
    assert "<script>" not in page.text


def test_html_in_a_runbook_is_shown_and_not_obeyed(tmp_path: Any, start: Any) -> None:
    (tmp_path / "Hostile.md").write_text("# A\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1))\n")
    command = ("alertmanager.inbox", "--http", "127.0.0.1:0", "--smtp", "127.0.0.1:0", "--runbooks", str(tmp_path))
    with start(*command, says="inbox:") as line:
        page = httpx.get(line.split()[4].rstrip(",") + "/runbooks/Hostile").text
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert 'href="javascript' not in page


def test_health_is_answered(inbox: Any) -> None:
    assert inbox.http.get("/healthz").status_code == 200


def test_a_taken_port_is_named(inbox: Any) -> None:
    command = [sys.executable, "-m", "alertmanager.inbox", "--http", inbox.url[7:], "--smtp", "127.0.0.1:0"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 1
    assert f"cannot listen on {inbox.url[7:]}" in ran.stderr


@pytest.mark.parametrize("arguments", [["--http", "8025"], ["--runbooks", "no-such-folder"]], ids=str)
def test_a_wrong_argument_ends_with_status_2(arguments: list[str]) -> None:
    ran = subprocess.run([sys.executable, "-m", "alertmanager.inbox", *arguments], capture_output=True, text=True)
    assert ran.returncode == 2
    assert arguments[0] in ran.stderr
