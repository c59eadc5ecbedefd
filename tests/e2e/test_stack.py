"""The stack as a newcomer gets it: it comes up, serves, is watched, and every drill is heard of as it should be."""

import json
import os
import time
from dataclasses import replace

import httpx
import pytest

from alerts.boards import PANELS
from alerts.drills import DRILLS
from alerts.drills.inbox import messages
from alerts.drills.judge import about_the_host
from alerts.drills.run import run
from alerts.rules import catalogue
from alerts.timing import duration, load
from compose.native import NativeStack
from compose.settings import from_environment
from dashboards.queries import RECENT
from tests.boards import EMPTY, each_panel, targets, trouble
from tests.pace import lately_told

pytestmark = pytest.mark.e2e

PARTS = {
    "inference",
    "gpu-exporter",
    "probe",
    "prometheus",
    "alertmanager",
    "inbox",
    "deadman",
    "node-exporter",
}


def eventually(check, seconds=20):
    """The first true value of a check; its last value where none comes in time."""
    give_up = time.monotonic() + seconds
    while not (value := check()) and time.monotonic() < give_up:
        time.sleep(0.25)
    return value


def status(running):
    return {part["name"]: part for part in json.loads(running.command("status", "--json").stdout)}


def test_every_part_is_healthy(running):
    parts = status(running)

    assert set(parts) == PARTS
    assert all(
        part["healthy"] and part["pid"] and part["url"].startswith("http://127.0.0.1:") for part in parts.values()
    )


def test_up_again_changes_nothing(running):
    before = status(running)
    again = running.command("up")

    assert again.returncode == 0, again.stderr
    assert status(running) == before


def test_a_reload_is_live_within_5_seconds_and_restarts_nothing(running):
    """Objectives, clock and links take the same way into the rules; a link is what a test can change from outside."""
    before = status(running)
    changed = replace(running, environment={**running.environment, "RUNBOOK_URL": "http://runbooks.example"})

    def runbooks():
        answer = httpx.get(f"{running.native.url('prometheus')}/api/v1/rules").raise_for_status().json()
        rules = [rule for group in answer["data"]["groups"] for rule in group["rules"]]
        return {rule["annotations"]["runbook_url"].rpartition("/")[0] for rule in rules if rule.get("annotations")}

    served = runbooks()
    try:
        begun = time.monotonic()
        done = changed.command("reload")

        assert done.returncode == 0, done.stderr
        assert done.stdout == "taken over by alertmanager, prometheus\n"
        assert runbooks() == {"http://runbooks.example"}
        assert time.monotonic() - begun < 5 * running.native.timing.scrape_interval  # 1 on the compressed clock
        assert status(running) == before
    finally:
        running.command("reload")
    assert runbooks() == served


def test_a_backup_brings_silences_and_samples_back(running, tmp_path):
    url = f"{running.native.url('alertmanager')}/api/v2/silences"
    matcher = {"name": "alertname", "value": "NoSuchAlert", "isRegex": False, "isEqual": True}
    times = {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2100-01-01T00:00:00Z"}
    body = {"matchers": [matcher], **times, "createdBy": "test", "comment": "kept"}
    silence = httpx.post(url, json=body).raise_for_status().json()["silenceID"]

    def oldest():
        found = eventually(lambda: running.query('min_over_time(timestamp(up{job="prometheus"})[1h:1s])'))
        return float(found[0]["value"][1])

    before, file = oldest(), tmp_path / "backup.tar.gz"
    saved = running.command("backup", str(file))
    assert saved.returncode == 0, saved.stderr
    assert saved.stdout.startswith("silences       1\nprometheus ")
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]

    httpx.delete(f"{url[:-1]}/{silence}").raise_for_status()
    restored = running.command("restore", str(file))
    assert restored.returncode == 0, restored.stderr
    active = [one for one in httpx.get(url).json() if one["status"]["state"] == "active"]
    assert [one["comment"] for one in active] == ["kept"]
    assert oldest() == pytest.approx(before, abs=3)
    httpx.delete(f"{url[:-1]}/{active[0]['id']}").raise_for_status()


def test_a_file_that_is_no_backup_is_refused_and_nothing_is_touched(running, tmp_path):
    before = status(running)
    (tmp_path / "notes").write_text("no backup")
    done = running.command("restore", str(tmp_path / "notes"))

    assert done.returncode == 2
    assert "no backup of Inferwatch" in done.stderr
    assert status(running) == before


def test_a_completion_streams_and_moves_the_signals(running):
    before = sum(float(series["value"][1]) for series in running.query("llm_generated_tokens_total"))
    texts = [running.stream(f"request {number}", max_tokens=16) for number in range(4)]

    assert all(texts)

    def generated():
        return sum(float(series["value"][1]) for series in running.query("llm_generated_tokens_total")) - before

    assert eventually(lambda: generated() >= 4 * 16), generated()
    assert eventually(lambda: running.query('llm:generated_tokens:rate1m{service="inference"} > 0'))


def test_gpus_warm_up_with_the_load(running):
    """The simulated GPU's utilisation follows the service's running requests."""
    deadline = time.monotonic() + 30
    while not running.query("max(gpu:utilization) > 0.05") and time.monotonic() < deadline:
        running.stream("keep the batch busy", max_tokens=64)

    assert running.query("max(gpu:utilization) > 0.05")


def test_the_engine_is_known_to_compute_on_the_gpus_that_are_watched(running):
    tied = "llm:engine_gpu:info and on (host, uuid) gpu:temperature"

    assert {series["metric"]["engine"] for series in running.query(tied)} == {"inferwatch"}
    assert len(running.query(tied)) == len(running.query("gpu:temperature")) == 2


def test_golden_answers_are_kept_for_the_version_of_the_model_that_gave_them(running):
    learned = running.native.settings.state.data / "probe.json"
    answers = eventually(lambda: json.loads(learned.read_text())["golden"])
    listed = httpx.get(f"{running.native.url('inference')}/v1/models").raise_for_status().json()["data"][0]

    assert [answer["version"] for answer in answers] == [listed["system_fingerprint"]]


def test_rules_hold_their_labels(running):
    labels = {"cluster", "namespace", "service", "host", "job", "instance"}

    for signal, own in (("llm:up", {"engine"}), ("gpu:temperature", {"gpu", "uuid"}), ("llm:model_loaded", {"model"})):
        found = running.query(signal)
        assert found, signal
        assert all(labels | own <= set(series["metric"]) for series in found), signal
    assert {series["metric"]["service"] for series in running.query("llm:probe_success")} == {"inference"}


def drills():
    """Those that page and one ticket in every `make test`, all other tickets in `make test-long`."""
    for drill in DRILLS:
        always = "email" in drill.channels or drill.name == "exporter_dies"
        yield pytest.param(drill, id=drill.name, marks=() if always else pytest.mark.long)


def expressions_that_show(drill, alert):
    """What must have a value when the page came: trouble at the alert's panel, and panels that are empty otherwise."""
    panels = each_panel()
    if alert.board:
        uid = alert.board.split("/")[1]
        yield f"({trouble(panels[f'{uid}: {PANELS[alert.name]}'], {})}) == 1"
    for name, (filled_by, _) in EMPTY.items():
        if filled_by == drill.name:
            yield from targets(panels[name])


def on_this_clock(expr, alert, timing):
    """A panel's expression for a stack's clock: boards are drawn for the real one, whose minutes are seconds here."""
    steps = f"{RECENT.partition(':')[0]}:{duration(timing.evaluation_interval)}"
    window = catalogue(load())[alert.name].window
    return expr.replace(f"[{RECENT}]", f"[{steps}]").replace(f"[{duration(window)}]", f"[{duration(alert.window)}]")


def shown_until(running, expr, end):
    """Whether an expression had a value in the half hour before a time, which is what a board on call opens with."""
    asked = {"query": expr, "start": end - 1800, "end": end, "step": 1}
    answer = httpx.post(f"{running.native.url('prometheus')}/api/v1/query_range", data=asked, timeout=60)
    return bool(answer.raise_for_status().json()["data"]["result"])


@pytest.mark.timeout(480)
@pytest.mark.parametrize("drill", list(drills()))
def test_a_drill_is_heard_of_exactly_as_it_should_be(running, drill):
    timing = running.native.timing
    eventually(lambda: not running.query(lately_told(timing)), seconds=120)
    inbox, known = running.native.url("inbox"), catalogue(timing)
    before = {message.id for message in messages(inbox)}
    report = run(drill, running.native, print)

    assert report.problems == []
    new = [message for message in messages(inbox) if message.id not in before]
    # What is true of the machine that the tests run on, and what the fault's own channel gets late, are no part of it.
    heard = [one for one in new if not about_the_host(one, known, drill.alert) and one.channel not in drill.broken]
    # Not reckoned from the start of the run, which may first have to wait for replicas.
    paged_at = max(message.received_at for message in heard if message.status == "firing")
    alert = known[drill.alert]
    for expr in expressions_that_show(drill, alert):
        assert shown_until(running, on_this_clock(expr, alert, timing), paged_at), expr
    counted = sorted((message.channel, message.status) for message in heard)
    wanted = sorted((channel, status) for channel in drill.channels for status in ("firing", "resolved"))
    assert counted == wanted, [message.title for message in heard]
    texts = {str(message["id"]): message["text"] for message in running.messages()}
    assert all(message.title and texts[message.id] for message in heard)


def test_replicas_come_and_go_without_a_word(running):
    """Not even a pending alert: whoever is added or taken away on purpose is not down. `up` takes away what is left."""
    before, begun = status(running), time.time()
    stack = NativeStack(from_environment({**os.environ, **running.environment}))
    try:
        stack.scale(3)
        grown = status(running)
        scraped = running.query('up{job="inference", service="inference", engine="inferwatch"} == 1')
        assert set(grown) - set(before) == {"inference-2", "inference-3"}
        assert all(part["healthy"] for part in grown.values())
        assert {one["metric"]["instance"] for one in scraped} == {
            grown[name]["url"].removeprefix("http://") for name in stack.replicas()
        }
    finally:
        again = running.command("up")
    assert again.returncode == 0, again.stderr
    assert status(running) == before
    assert len(running.query("llm:up")) == 1
    time.sleep(2 * stack.timing.pending(15))  # whatever was left would be pending by now

    since = f"[{int(time.time() - begun)}s]"
    for about in ('component=~"engine|service|gpu"', 'job="inference"'):
        assert running.query(f'count_over_time(ALERTS{{severity=~"page|ticket", {about}}}{since})') == []


def test_an_unknown_drill_is_a_usage_error(running):
    done = running.command("drill", "no_such_drill")

    assert done.returncode == 2
    assert "engine_dies" in done.stderr
