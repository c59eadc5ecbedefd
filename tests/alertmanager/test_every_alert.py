"""Every alert in every state, by a real Alertmanager through Slack, mail and PagerDuty: each message is whole."""

import json
import re
import time
from collections.abc import Callable
from email import message_from_string, policy
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from alerts.rules import catalogue
from alerts.timing import load

TIMING = load()
CATALOGUE = {name: alert for name, alert in catalogue(TIMING).items() if alert.severity != "none"}
STATES = {"firing": 1, "resolved": 1, "mixed": 2, "thirty": 30}
"""Members of the group at first; in `resolved` all of them end later, in `mixed` one does."""
ROUTE = {
    "receiver": "page-inference",  # tickets too, though they have no mail: their words are the same
    "group_by": ["alertname", "cluster"],
    "group_wait": "1s",
    "group_interval": "2s",
    "repeat_interval": "1h",
}
SILENT_SECONDS = 60
"""Without any message, until what is missing is taken for lost."""
SIGNS_OF_A_BROKEN_TEMPLATE = ("<no value>", "%!", "{{", "ZgotmplZ", "<error")
COLORS = {"RESOLVED": "good", "PAGE": "#D00000", "TICKET": "#E8A200"}

Key = tuple[str, str, bool]
"""An alert's name, a state, and whether the message tells that something has recovered."""


@pytest.fixture(scope="module")
def arrived(
    start_alertmanager: Any, inbox_process: Any, events_process: Any, firing: Callable[..., dict[str, Any]]
) -> dict[str, dict[Key, Any]]:
    """What each channel got: the newest message of each kind."""
    alertmanager = start_alertmanager(
        TIMING,
        slack_url=f"{inbox_process.url}/slack",
        smtp=inbox_process.smtp,
        pagerduty_url=f"{events_process.url}/events",
        route=ROUTE,
    )
    before = newest(inbox_process)
    groups = {
        (name, state): [
            firing(name, cluster=state, host=f"node-{i}", instance=f"node-{i}:8000") for i in range(members)
        ]
        for name in CATALOGUE
        for state, members in STATES.items()
    }
    made: dict[str, dict[Key, Any]] = {"slack": {}, "email": {}, "pagerduty": {}}
    seen: set[int] = set()

    def wait(wanted: set[Key]) -> None:
        heard, last = 0, time.monotonic()
        while missing := {key for channel in made.values() for key in wanted - channel.keys()}:
            if heard != (heard := len(seen) + len(events_process.events)):
                last = time.monotonic()
            assert time.monotonic() < last + SILENT_SECONDS, f"{len(missing)} are missing: {sorted(missing)[:5]}"
            time.sleep(0.5)
            for one in newer(inbox_process, max(seen, default=before)):
                if one["id"] not in seen:
                    key, content = read_slack(one) if one["channel"] == "slack" else read_mail(one)
                    made[one["channel"]][key] = content
                    seen.add(one["id"])
            for event in events_process.events:
                made["pagerduty"][read_event(event)] = event

    for state in STATES:  # in turn, so that a busy machine, too, is done with each in Alertmanager's own 10 s
        alertmanager.send(*(one for name in CATALOGUE for one in groups[name, state]), age=0)
        wait({(name, state, False) for name in CATALOGUE})
    ending = {key: group[0] for key, group in groups.items() if key[1] in ("resolved", "mixed")}
    alertmanager.send(*ending.values(), ended=True, age=2)
    wait({(name, state, True) for name, state in ending})
    return made


def newest(inbox: Any) -> int:
    """The id of the inbox's newest message, 0 where it has none."""
    messages = inbox.http.get("/api/messages", params={"limit": 1}).json()
    return int(messages[0]["id"]) if messages else 0


def newer(inbox: Any, last: int) -> list[dict[str, Any]]:
    """What came after a message, and a few before: never all, which would keep the inbox from taking mails."""
    while True:
        limit = min(1000, newest(inbox) - last + 20)
        found: list[dict[str, Any]] = inbox.http.get("/api/messages", params={"limit": limit}).json()
        # More than these may have come since they were counted, and have pushed out the oldest.
        if limit == 1000 or len(found) < limit or min(one["id"] for one in found) <= last + 1:
            return found


def read_slack(message: dict[str, Any]) -> tuple[Key, Any]:
    (attachment,) = json.loads(message["raw"])["attachments"]
    state = re.search(r"\*Where:\* cluster (\w+)", attachment["text"])
    assert state, attachment["text"]
    recovered = message["status"] == "resolved" or "*Recovered: 1*" in attachment["text"]
    return (attachment["footer"].split(" · ")[0], state[1], recovered), attachment


def read_mail(message: dict[str, Any]) -> tuple[Key, Any]:
    mail = message_from_string(message["raw"], policy=policy.default)
    recovered = message["status"] == "resolved" or "\nRecovered: 1\n" in message["text"]
    return (*group_of(mail["X-Alert-Group"]), recovered), message | {"mail": mail}


def read_event(event: dict[str, Any]) -> Key:
    payload = event["payload"]
    return *group_of(payload["group"]), payload["custom_details"]["resolved"].strip() != "0"


def group_of(text: str) -> tuple[str, str]:
    found = re.fullmatch(r"alertname=(\w+) cluster=(\w+)", text)
    assert found, text
    return found[1], found[2]


def key_of(name: str, state: str) -> Key:
    return name, state, state in ("resolved", "mixed")


def word_of(name: str, state: str) -> str:
    return "RESOLVED" if state == "resolved" else CATALOGUE[name].severity.upper()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", CATALOGUE)
def test_its_slack_message_is_whole(arrived: dict[str, dict[Key, Any]], firing: Any, name: str, state: str) -> None:
    attachment = arrived["slack"][key_of(name, state)]
    word = word_of(name, state)
    host = "node-1" if state == "mixed" else "node-0"  # in `mixed` the first has recovered
    told = firing(name, cluster=state, host=host, instance=f"{host}:8000")
    assert told["annotations"]["summary"] in attachment["title"]
    assert re.match(r"RESOLVED after \d+[ms]  " if state == "resolved" else f"{word}  ", attachment["title"])
    assert attachment["color"] == COLORS[word]
    for part, longest in (("title", 130), ("text", 2800), ("fallback", 400), ("footer", 150)):
        assert 0 < len(attachment[part].strip()) <= longest, part
        assert not any(sign in attachment[part] for sign in SIGNS_OF_A_BROKEN_TEMPLATE), attachment[part]
        assert part == "text" or "\n" not in attachment[part]
    assert not re.search(r"\n\s*\n", attachment["text"]), "a hole in the text"
    assert urlsplit(attachment["title_link"]).path == f"/runbooks/{name}"
    links = {action["text"]: urlsplit(action["url"]) for action in attachment["actions"]}
    assert list(links) == ["Runbook", "Dashboard", "Query", "Traces", "Silence 1 h"]
    assert {(link.scheme, link.hostname) for link in links.values()} == {("http", "127.0.0.1")}
    asked = parse_qs(links["Dashboard"].query)
    assert asked["var-cluster"] == [state]
    assert int(asked["from"][0]) < time.time() * 1000
    assert asked["to"] == ["now"] if state != "resolved" else int(asked["from"][0]) < int(asked["to"][0])


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", CATALOGUE)
def test_its_mail_is_whole(arrived: dict[str, dict[Key, Any]], read_html: Any, name: str, state: str) -> None:
    message = arrived["email"][key_of(name, state)]
    word, mail = word_of(name, state), message["mail"]
    assert mail["Subject"].startswith(f"[{word}] ")
    assert (mail["X-Alert-Name"], mail["X-Alert-Status"]) == (name, "resolved" if state == "resolved" else "firing")
    assert mail["X-Alert-Severity"] == CATALOGUE[name].severity
    assert mail["References"] == f"<{name}.{state}.alert@inferwatch>"
    for text in (mail["Subject"], message["text"], message["html"]):
        assert text.strip()
        assert not any(sign in text for sign in SIGNS_OF_A_BROKEN_TEMPLATE), text
    assert not read_html(message["html"]).seen & {"script", "img", "iframe", "form"}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", CATALOGUE)
def test_its_pagerduty_event_is_whole(arrived: dict[str, dict[Key, Any]], name: str, state: str) -> None:
    event = arrived["pagerduty"][key_of(name, state)]
    assert event["event_action"] == ("resolve" if state == "resolved" else "trigger")
    # Others come from Alertmanager's own defaults, as numbers on newer versions.
    details = {"impact", "what", "changed", "action", "where", "firing", "resolved"}
    texts = [event["payload"]["summary"], *(event["payload"]["custom_details"][detail] for detail in details)]
    assert event["payload"]["summary"]
    assert all(isinstance(text, str) for text in texts), "newer versions take what is YAML for what it says"
    assert not any(sign in text for sign in SIGNS_OF_A_BROKEN_TEMPLATE for text in texts), texts
    assert sum(map(len, texts)) < 4000
