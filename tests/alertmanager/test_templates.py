"""What a message says, rendered by amtool with Alertmanager's own template engine."""

import copy
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from alertmanager.generate import render as generate
from alertmanager.receivers import TEMPLATES, Receivers
from alertmanager.teams import load as load_teams
from alerts.links import Links
from alerts.timing import load

GOLDEN = Path(__file__).with_name("golden")
TEXTS = (
    *("slack.title", "slack.text", "slack.fallback", "slack.footer", "slack.color"),
    *("link.runbook", "link.dashboard", "link.query", "link.silence", "link.traces"),
    *("pagerduty.description", "pagerduty.firing"),
    *("email.subject", "email.text", "email.name", "email.severity", "email.group", "email.thread"),
)

Build = Callable[..., dict[str, Any]]
Render = Callable[..., dict[str, str]]


def message(*alerts: dict[str, Any]) -> dict[str, Any]:
    """A notification's data, as Alertmanager makes it of a group of alerts."""
    status = "firing" if any(one["status"] == "firing" for one in alerts) else "resolved"
    first, *rest = (one["labels"] for one in alerts)
    common = {name: value for name, value in first.items() if all(one.get(name) == value for one in rest)}
    group = {name: common[name] for name in ("cluster", "alertname", "service") if name in common}
    return {
        "receiver": "page",
        "status": status,
        "alerts": list(alerts),
        "groupLabels": group,
        "commonLabels": common,
        "commonAnnotations": {},
        "externalURL": "http://127.0.0.1:9093",
    }


def resolved(alert: dict[str, Any], end: str = "2026-11-21T05:18:44Z") -> dict[str, Any]:
    return {**copy.deepcopy(alert), "status": "resolved", "endsAt": end}


@pytest.fixture(scope="module")
def render(tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Render:
    folder = tmp_path_factory.mktemp("templates")

    def rendered(data: dict[str, Any], links: Links | None = None) -> dict[str, str]:
        (folder / "links.tmpl").write_text(generate(load(), links or Links(), Receivers(), load_teams())["links.tmpl"])
        (folder / "data.json").write_text(json.dumps(data))
        command = [tool("amtool"), "template", "render", f"--template.data={folder / 'data.json'}"]
        command += [f"--template.glob={each}/*.tmpl" for each in (TEMPLATES, folder)]

        def run(text: str, kind: str) -> str:
            ran = subprocess.run(
                [*command, f"--template.type={kind}", f"--template.text={text}"], capture_output=True, text=True
            )
            assert ran.returncode == 0, ran.stderr
            return ran.stdout.removesuffix("\n")

        texts = run("\x1e".join(f'{{{{ template "{name}" . }}}}' for name in TEXTS), "text").split("\x1e")
        html = run('{{ template "email.html" . }}', "html")
        return dict(zip(TEXTS, texts, strict=True)) | {"email.html": html}

    return rendered


def assert_well_formed(made: dict[str, str]) -> None:
    for template, text in made.items():
        assert text.strip(), f"{template} is empty"
        for sign in ("<no value>", "%!", "{{", "ZgotmplZ", "<error"):
            assert sign not in text, f"{sign} in {template}"
    assert len(made["slack.title"]) <= 130
    assert len(made["slack.text"]) <= 2800
    assert len(made["slack.fallback"]) <= 400
    assert not re.search(r"\n\s*\n", made["slack.text"]), "a hole in the Slack text"
    for line in ("slack.title", "slack.fallback", "slack.footer", "email.subject", "email.group", "email.thread"):
        assert "\n" not in made[line]
    for link in ("link.runbook", "link.dashboard", "link.query", "link.silence"):
        assert urlsplit(made[link]).scheme == "http"
        assert urlsplit(made[link]).netloc


def test_a_firing_page_says_what_who_and_what_to_do(render: Render, firing: Build) -> None:
    made = render(message(firing("GpuOverheating", instance="node-3:9836")))
    assert made["slack.title"] == "PAGE  GPU overheating: GPU 2 on node-3"
    assert made["slack.fallback"].startswith("PAGE  GPU overheating: GPU 2 on node-3. The hardware slows")
    lines = made["slack.text"].splitlines()
    assert [line.split(":*")[0] for line in lines] == ["*Impact", "*What", "*Do first", "*Where"]
    assert lines[1] == (
        "*What:* 0 °C of margin left (expected above 0 °C) · since 05:12:31 UTC, <!date^1795237951^{ago}|2026-11-21>"
    )
    assert lines[3] == (
        "*Where:* gpu 2 · host node-3 · instance node-3:9836 · job engines · service chat · uuid GPU-8f6e"
    )
    assert made["slack.footer"] == "GpuOverheating · page · team inference · 03d72fa17236045d"
    assert made["email.subject"] == "[PAGE] GPU overheating: GPU 2 on node-3"


def test_a_resolved_page_says_how_long_it_was_and_asks_for_nothing(render: Render, firing: Build) -> None:
    made = render(message(resolved(firing("EngineDown"))))
    assert made["slack.title"] == "RESOLVED after 6m  Engine down: chat on node-3"
    assert "05:12:31 to 05:18:44 UTC" in made["slack.text"]
    assert "Do first" not in made["slack.text"] + made["email.text"] + made["email.html"]
    assert "Silence" not in made["email.text"] + made["email.html"]


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("2026-11-21T05:12:31Z", "0s"),
        ("2026-11-21T05:13:30.9Z", "59s"),
        ("2026-11-21T05:13:31Z", "1m"),
        ("2026-11-21T05:22:31Z", "10m"),
        ("2026-11-21T06:12:31Z", "1h"),
        ("2026-11-21T07:17:40Z", "2h5m"),
    ],
)
def test_durations_read_as_people_say_them(render: Render, firing: Build, end: str, words: str) -> None:
    title = render(message(resolved(firing("EngineDown"), end)))["slack.title"]
    assert title.startswith(f"RESOLVED after {words}  ")


def test_a_group_lasted_from_its_first_start_to_its_last_end(render: Render, firing: Build) -> None:
    early, late = firing("EngineDown"), firing("EngineDown", host="node-4")
    early["startsAt"] = "2026-11-21T05:10:00Z"
    made = render(message(resolved(late, "2026-11-21T05:20:00Z"), resolved(early, "2026-11-21T05:15:00Z")))
    assert made["slack.title"].startswith("RESOLVED after 10m  ")


def test_of_thirty_members_five_are_named_and_the_rest_counted(render: Render, firing: Build) -> None:
    made = render(message(*(firing("EngineDown", host=f"node-{i}", instance=f"node-{i}:8000") for i in range(30))))
    assert made["slack.title"] == "PAGE  Engine down: chat on node-0 + 29 more"
    for text in (made["slack.text"], made["email.text"], made["email.html"]):
        assert "Firing: 30" in text
        assert "+ 25 more" in text
        assert "node-4:8000" in text
        assert "node-5:8000" not in text


def test_each_firing_member_is_told_with_its_value(render: Render, firing: Build) -> None:
    members = [firing("GpuOverheating", gpu=str(i), instance="n:1") for i in range(2)]
    for one in members:
        one["annotations"]["value"] = f"-{one['labels']['gpu']} °C of margin left"
    made = render(message(*members))
    assert "\n• GPU overheating: GPU 1 on node-3 (n:1): -1 °C of margin left\n" in made["slack.text"] + "\n"
    assert "\n- GPU overheating: GPU 1 on node-3 (n:1): -1 °C of margin left\n" in made["email.text"]
    assert "GPU overheating: GPU 1 on node-3" in made["email.html"]
    assert "-1 °C of margin left" in made["email.html"]


def test_the_query_is_the_rules_own_where_it_names_one(render: Render, firing: Build) -> None:
    one = firing("EngineDown")
    assert render(message(one))["link.query"] == one["generatorURL"]
    one["annotations"]["query_url"] = "http://127.0.0.1:3000/explore?left=up"
    made = render(message(one))
    assert made["link.query"] == "http://127.0.0.1:3000/explore?left=up"
    assert "Query:       http://127.0.0.1:3000/explore?left=up\n" in made["email.text"]
    assert 'href="http://127.0.0.1:3000/explore?left=up"' in made["email.html"]


def test_an_end_on_another_day_is_told_with_its_day(render: Render, firing: Build) -> None:
    same, next_day = (
        render(message(resolved(firing("EngineDown"), end))) for end in ("2026-11-21T05:18:44Z", "2026-11-22T00:10:00Z")
    )
    assert "\nWhen:     2026-11-21 05:12:31 to 05:18:44 UTC\n" in same["email.text"]
    assert "\nWhen:     2026-11-21 05:12:31 to 2026-11-22 00:10:00 UTC\n" in next_day["email.text"]


def test_a_mixed_group_tells_of_what_still_fires_first(render: Render, firing: Build) -> None:
    healed = resolved(firing("EngineDown", host="node-1", instance="node-1:8000"))
    made = render(message(healed, firing("EngineDown")))
    assert made["slack.title"] == "PAGE  Engine down: chat on node-3, 1 recovered"
    for text in (made["slack.text"], made["email.text"]):
        assert text.index("Firing: 1") < text.index("Recovered: 1") < text.index("node-1:8000")


def test_what_had_ended_before_the_incident_is_no_part_of_it(render: Render, firing: Build) -> None:
    """Prometheus repeats for 15 minutes what has ended, so Alertmanager puts it into the group's next message again."""
    earlier = firing("EngineDown", host="node-1", instance="node-1:8000") | {"startsAt": "2026-11-21T05:00:00Z"}
    earlier = resolved(earlier, "2026-11-21T05:05:00Z")
    page, end = firing("EngineDown"), resolved(firing("EngineDown"))
    for data, title in (
        (message(earlier, page), "PAGE  Engine down: chat on node-3"),
        (message(earlier, end), "RESOLVED after 6m  Engine down: chat on node-3"),
    ):
        made = render(data)
        assert made["slack.title"] == title
        for text in (made["slack.text"], made["email.text"], made["email.html"]):
            assert "Recovered" not in text
            assert "node-1" not in text


def test_missing_texts_and_labels_leave_no_holes(render: Render, firing: Build, read_html: Any) -> None:
    bare = firing("EngineDown")
    bare |= {"labels": {"alertname": "Foreign"}, "annotations": {}, "generatorURL": ""}
    made = render(message(bare))
    assert_well_formed(made)
    assert not read_html(made["email.html"]).seen & {"script", "img", "iframe", "form"}
    assert made["slack.title"] == "TICKET  Foreign"
    assert made["slack.text"].startswith("*What:* since 05:12:31 UTC")
    assert made["link.query"] == "http://127.0.0.1:9093"
    assert made["link.dashboard"] == "http://127.0.0.1:3000"


def test_an_alert_without_even_a_name_still_says_something(render: Render, firing: Build) -> None:
    bare = firing("EngineDown") | {"labels": {}, "annotations": {}, "fingerprint": "03d72fa17236045d"}
    assert render(message(bare))["slack.title"] == "TICKET  Alert without a name"


HOSTILE = {
    "mention": "<!channel> <@U123> <!subteam^S1>",
    "link": "<http://evil.example|Runbook> http://evil.example/x",
    "markup": '"><script>alert(1)</script><img src=x onerror=alert(1)>',
    "quotes": """'; $(reboot) `reboot` "quoted" \\""",
    "newlines": "one\ntwo\r\n\r\nBcc: everyone@example.org\n\tthree",
    "long": "x" * 10_000,
    "block of code": "``` ```",
    "template": "{{ .ExternalURL }} %s %d",
    "right to left": "\u202enode-3\u2066 abc",
    "right to left letters": "\u05e9\u05dc\u05d5\u05dd \u200f\u061cnode-3",
    "invisible": "nod\u200be\u2060-\ufeff3",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_label_value_injects_anything(render: Render, firing: Build, read_html: Any, kind: str) -> None:
    value = HOSTILE[kind]
    one = firing("EngineDown", service=value, host=value, instance=value)
    made = render(message(one, resolved(firing("EngineDown", service=value, host="h"))))
    slack = "".join(text for name, text in made.items() if name.startswith("slack."))
    pagerduty = "".join(text for name, text in made.items() if name.startswith("pagerduty."))
    assert len(pagerduty) < 2000
    assert all(len(text) < 3000 for name, text in made.items() if name.startswith("link."))
    angles = re.findall(r"<[^>]*>", slack)
    assert all(angle.startswith("<!date^1795237951^") for angle in angles), angles
    assert "http://evil" not in slack
    assert "``" not in slack
    assert not re.search("[\u061c\u200c-\u200f\u202a-\u202e\u2060-\u2069\ufeff]", "".join(made.values()))
    assert len(made["slack.text"]) <= 2800
    assert "\n" not in made["slack.title"] + made["email.subject"] + made["email.group"] + made["email.thread"]
    html = read_html(made["email.html"])
    assert not html.seen & {"script", "img"}
    assert all(urlsplit(link).hostname == "127.0.0.1" for link in html.links)


def test_no_link_is_longer_than_slack_takes(render: Render, firing: Build) -> None:
    one = firing("EngineDown", service="\u00e9" * 200, host="\u00e9" * 200, instance="\u00e9" * 200)
    one |= {"generatorURL": "http://127.0.0.1:9090/graph?g0.expr=" + "x" * 4000}
    one["annotations"] |= {"runbook_url": "http://127.0.0.1:8025/" + "x" * 4000}
    made = render(message(one))
    assert made["link.query"] == "http://127.0.0.1:9090/graph"
    assert made["link.runbook"] == "http://127.0.0.1:8025/runbooks"
    assert made["link.silence"].endswith("filter=%7Balertname%3D%22EngineDown%22%7D&comment=on%20it")
    assert len(made["link.dashboard"]) < 3000


def test_the_dashboard_opens_around_the_incident(render: Render, firing: Build) -> None:
    start, half_hour = 1_795_237_951_000, 1_800_000
    now = urlsplit(render(message(firing("EngineDown")))["link.dashboard"])
    assert parse_qs(now.query)["from"] == [str(start - half_hour)]
    assert parse_qs(now.query)["to"] == ["now"]
    then = urlsplit(render(message(resolved(firing("EngineDown"))))["link.dashboard"])
    assert parse_qs(then.query)["to"] == [str(start + 373_000)]
    assert parse_qs(then.query)["var-service"] == ["chat"]


def test_the_query_of_what_is_over_is_the_graph_of_that_hour(render: Render, firing: Build) -> None:
    query = "http://127.0.0.1:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1"
    one = firing("EngineDown") | {"generatorURL": query}
    assert render(message(one))["link.query"] == query
    made = render(message(resolved(one)))
    then = parse_qs(urlsplit(made["link.query"]).query)
    assert then == {
        "g0.expr": ["up == 0"],
        "g0.tab": ["0"],
        "g0.range_input": ["1h"],
        "g0.end_input": ["2026-11-21 05:23:44"],
    }
    assert f"Query:       {made['link.query']}" in made["email.text"]


def test_a_dashboard_without_a_query_gets_one(render: Render, firing: Build) -> None:
    one = firing("EngineDown")
    one["annotations"]["dashboard_url"] = "http://127.0.0.1:3000/d/fleet"
    link = render(message(one))["link.dashboard"]
    assert link == "http://127.0.0.1:3000/d/fleet?from=1795236151000&to=now"


def test_the_silence_link_names_the_alert_and_its_scope(render: Render, firing: Build) -> None:
    alerts = (firing("EngineDown", host=f"node-{i}", service="my chat", instance=f"n{i}:1") for i in range(2))
    link = render(message(*alerts))["link.silence"]
    wanted = '{alertname="EngineDown",cluster="default",service="my chat"}'
    assert unquote(link) == f"http://127.0.0.1:9093/#/silences/new?filter={wanted}&comment=on it"
    assert "+" not in link


def test_without_an_alertmanager_page_the_message_carries_the_command(render: Render, firing: Build) -> None:
    made = render(message(firing("EngineDown")), Links(alertmanager_ui_url=""))
    command = (
        "amtool silence add --alertmanager.url=http://127.0.0.1:9093 --duration=1h --comment='on it' "
        """'alertname="EngineDown"' 'cluster="default"' 'host="node-3"' 'instance="node-3:8000"' 'service="chat"'"""
    )
    assert f"*Silence 1 h:* `{command}`" in made["slack.text"]
    assert command in made["email.text"]
    assert "amtool silence add" in made["email.html"]


def test_the_command_holds_nothing_that_a_shell_would_obey(render: Render, firing: Build) -> None:
    hostile = firing("EngineDown", service=HOSTILE["quotes"], host="$(reboot)")
    text = render(message(hostile), Links(alertmanager_ui_url=""))["email.text"]
    (line,) = (line for line in text.splitlines() if "amtool" in line)
    assert "service=" not in line
    assert """'host="$(reboot)"'""" in line  # a single-quoted word means itself


def full(build: Build, name: str = "EngineHung", **labels: str) -> dict[str, Any]:
    """An alert with every annotation that a rule may have."""
    one = build(name, **labels)
    one["annotations"] |= {
        "value": "0 steps/s",
        "threshold": "above 0 steps/s",
        "peak": "212 waiting",
        "changed": "version 1.4.2 -> 1.5.0 8 minutes ago",
        "muted": "4",
    }
    return one


def test_a_page_says_what_changed_and_how_much_it_mutes(render: Render, firing: Build) -> None:
    made = render(message(full(firing)))
    slack = made["slack.text"].splitlines()
    starts = ["*Impact:*", "*What:*", "*Changed:*", "*Do first:*", "*Where:*", "*Also muted:*"]
    assert [
        line.split(" ")[0] if "first" not in line and "muted" not in line else line[: line.index(":*") + 2]
        for line in slack
    ] == starts
    assert slack[1].startswith("*What:* 0 steps/s (expected above 0 steps/s), peak 212 waiting · since 05:12:31 UTC")
    assert slack[2] == "*Changed:* version 1.4.2 -&gt; 1.5.0 8 minutes ago"
    assert slack[5] == "*Also muted:* 4 alerts that this one explains"
    text = made["email.text"]
    assert "What:     0 steps/s (expected above 0 steps/s), peak 212 waiting\n" in text
    assert "Changed:  version 1.4.2 -> 1.5.0 8 minutes ago\nDo first: " in text
    assert "\nAlso muted: 4 alerts that this one explains\n" in text
    for words in ("Changed", "version 1.4.2 -&gt; 1.5.0", "Also muted", "4 alerts that this one explains"):
        assert words in made["email.html"]


@pytest.mark.parametrize(("count", "words"), [("1", "1 alert that"), ("0", ""), ("", ""), ("<!channel>", "")])
def test_only_a_count_is_shown_as_muted(render: Render, firing: Build, count: str, words: str) -> None:
    one = full(firing)
    one["annotations"]["muted"] = count
    made = render(message(one))
    for text in (made["slack.text"], made["email.text"], made["email.html"]):
        assert ("Also muted" in text) is bool(words)
        assert words in text
        assert "channel" not in text


def test_a_resolved_message_tells_duration_and_peak_but_no_longer_what_to_do(render: Render, firing: Build) -> None:
    made = render(message(resolved(full(firing))))
    assert made["slack.title"].startswith("RESOLVED after 6m  ")
    assert (
        "*Was:* 0 steps/s (expected above 0 steps/s), peak 212 waiting · 05:12:31 to 05:18:44 UTC" in made["slack.text"]
    )
    for text in (made["slack.text"], made["email.text"], made["email.html"]):
        assert "peak 212 waiting" in text
        assert "Changed" not in text
        assert "Also muted" not in text


def test_a_test_page_is_marked_in_every_channel(render: Render, firing: Build) -> None:
    made = render(message(firing("EngineDown", test="true")))
    assert made["slack.title"].startswith("TEST  ")
    assert made["slack.color"] == "#808080"
    assert made["email.subject"].startswith("[TEST] ")
    assert made["email.text"].startswith("TEST: ")
    assert made["pagerduty.description"].startswith("TEST: ")


def test_the_traces_are_those_of_the_service_around_the_incident(render: Render, firing: Build) -> None:
    for data, end in (
        (message(firing("EngineDown")), "now"),
        (message(resolved(firing("EngineDown"))), "1795238324000"),
    ):
        link = urlsplit(render(data)["link.traces"])
        pane = json.loads(parse_qs(link.query)["panes"][0])["a"]
        assert pane["range"] == {"from": "1795237051000", "to": end}
        assert pane["queries"][0]["query"] == '{resource.service.name="chat" && (status=error || duration>2s)}'
        assert (link.hostname, link.path) == ("127.0.0.1", "/explore")


def test_a_service_that_would_break_the_query_is_left_out_of_it(render: Render, firing: Build) -> None:
    link = urlsplit(render(message(firing("EngineDown", service='"} || {"')))["link.traces"])
    assert json.loads(parse_qs(link.query)["panes"][0])["a"]["queries"][0]["query"] == "{status=error}"


def test_without_grafana_no_mail_links_to_traces(render: Render, firing: Build) -> None:
    made = render(message(firing("EngineDown")), Links(grafana_url=""))
    assert "Traces" not in made["email.text"] + made["email.html"]


GOLDEN_MESSAGES: dict[str, Callable[[Build], list[dict[str, Any]]]] = {
    "EngineDown": lambda build: [build("EngineDown", engine="vllm")],
    "EngineHung": lambda build: [full(build, engine="vllm", model="chat-70b")],
    "GpuOverheating": lambda build: [build("GpuOverheating")],
    "ServiceDown": lambda build: [build("ServiceDown")],
    "TargetDown": lambda build: [build("TargetDown", host=f"node-{i}", instance=f"node-{i}:9100") for i in range(7)],
    "hostile": lambda build: [build("EngineDown", service=" ".join(HOSTILE.values()), host=HOSTILE["markup"])],
}


@pytest.mark.parametrize("name", GOLDEN_MESSAGES)
def test_messages_read_as_their_golden_files(
    render: Render, firing: Build, name: str, request: pytest.FixtureRequest
) -> None:
    alerts = GOLDEN_MESSAGES[name](firing)
    parts = []
    for state, data in (("firing", message(*alerts)), ("resolved", message(*map(resolved, alerts)))):
        made = render(data)
        parts += [f"===== {state}: {template}\n{text}\n" for template, text in made.items()]
    golden, text = GOLDEN / f"{name}.txt", "".join(parts)
    if request.config.getoption("--update-golden"):
        golden.write_text(text)
    assert text == golden.read_text(), "differs from the golden file; look at it, then run pytest --update-golden"
