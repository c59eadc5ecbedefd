"""Each way in which a channel can be made to fail, over real HTTP and SMTP."""

import smtplib
import threading
import time
from contextlib import suppress
from typing import Any

import httpx
import pytest

MESSAGE = "From: a@example.org\nTo: b@example.org\nSubject: [PAGE] x\n\nwords\n"


def send_mail(inbox: Any, timeout: float = 5) -> None:
    host, port = inbox.smtp.rsplit(":", 1)
    with smtplib.SMTP(host, int(port), timeout=timeout) as session:
        session.sendmail("a@example.org", ["b@example.org"], MESSAGE)


@pytest.mark.parametrize(("mode", "text"), [("429", "rate_limited"), ("500", "server_error"), ("403", "invalid_token")])
def test_slack_fails_with_the_status_and_keeps_nothing(inbox: Any, mode: str, text: str) -> None:
    inbox.fail("slack", mode)
    answer = inbox.post({"text": "x"})
    assert (answer.status_code, answer.text) == (int(mode), text)
    assert answer.headers.get("Retry-After") == ("1" if mode == "429" else None)
    assert inbox.messages() == []


@pytest.mark.parametrize(("mode", "code"), [("429", 451), ("500", 451), ("403", 550)])
def test_the_mail_server_refuses_with_its_own_code(inbox: Any, mode: str, code: int) -> None:
    inbox.fail("email", mode)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
        send_mail(inbox)
    assert refusal.value.recipients["b@example.org"][0] == code
    assert inbox.messages() == []


def test_a_hanging_slack_answers_nothing(inbox: Any) -> None:
    inbox.fail("slack", "hang")
    with pytest.raises(httpx.ReadTimeout):
        inbox.http.post("/slack", json={"text": "x"}, timeout=0.5)
    assert inbox.messages() == []


def test_a_hanging_mail_server_answers_nothing(inbox: Any) -> None:
    inbox.fail("email", "hang")
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        send_mail(inbox, timeout=0.5)
    assert inbox.messages() == []


def test_a_refusing_slack_drops_the_connection(inbox: Any) -> None:
    inbox.fail("slack", "refuse")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        inbox.post({"text": "x"})
    assert inbox.messages() == []


def test_a_refusing_mail_server_drops_the_connection(inbox: Any) -> None:
    inbox.fail("email", "refuse")
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send_mail(inbox)
    assert inbox.messages() == []


@pytest.mark.parametrize("mode", ["429", "500", "403", "hang", "refuse"])
def test_a_counted_fault_ends_by_itself(inbox: Any, mode: str) -> None:
    inbox.fail("slack", mode, count=1)
    with suppress(httpx.TransportError):
        inbox.http.post("/slack", json={"text": "x"}, timeout=0.3)
    assert inbox.post({"text": "y"}).status_code == 200
    assert [one["title"] for one in inbox.messages()] == ["y"]


def test_a_cleared_fault_lets_go_what_hangs(inbox: Any) -> None:
    inbox.fail("slack", "hang")
    ended = []

    def wait() -> None:
        with pytest.raises(httpx.TransportError):
            inbox.http.post("/slack", json={"text": "x"}, timeout=20)
        ended.append(time.monotonic())

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.3)
    assert inbox.http.delete("/api/faults/slack").status_code == 204
    waiting.join(5)
    assert ended
    assert inbox.post({"text": "y"}).status_code == 200


def test_a_fault_of_one_channel_leaves_the_other_alone(inbox: Any) -> None:
    inbox.fail("slack", "500")
    send_mail(inbox)
    assert inbox.wait(1)[0]["channel"] == "email"


@pytest.mark.parametrize(
    "body",
    [{}, {"mode": "404"}, {"mode": "500", "count": 0}, {"mode": "500", "count": "3"}, {"mode": "500", "x": 1}, []],
    ids=str,
)
def test_an_unknown_fault_is_refused(inbox: Any, body: object) -> None:
    assert inbox.http.put("/api/faults/slack", json=body).status_code == 422
    assert inbox.post({"text": "y"}).status_code == 200


def test_an_unknown_channel_is_refused(inbox: Any) -> None:
    assert inbox.http.put("/api/faults/pager", json={"mode": "500"}).status_code == 422
