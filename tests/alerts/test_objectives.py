"""objectives.yaml: what it means, and what is refused with a place and a remedy."""

from dataclasses import replace

import pytest

from alerts.__main__ import main
from alerts.objectives import Capacity, Objectives, Promise, Service, load
from alerts.rules import GROUPS, catalogue, groups, thresholds
from alerts.timing import load as load_timing

TIMING = load_timing()


@pytest.fixture
def objectives(tmp_path):
    def read(text: str) -> Objectives:
        file = tmp_path / "objectives.yaml"
        file.write_text(text)
        return load(file)

    return read


def test_an_empty_file_promises_nothing_and_needs_every_replica(objectives):
    assert objectives("") == Objectives()


def test_needed_is_a_number_or_all(objectives):
    read = objectives("services: {chat: {needed: 2}, batch: {needed: all}, plain: }")

    assert read.services == {"chat": Service(2), "batch": Service(None), "plain": Service(None)}


def test_capacity_is_what_one_replica_takes_and_how_long_may_be_waited(objectives):
    read = objectives("services: {chat: {capacity: {requests_per_second: 9, wait_seconds: 0.5}}}")

    assert read.services == {"chat": Service(capacity=Capacity(9, 0.5))}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("servces: {}", "unknown servces; known: disabled, min_rate, period_days, services, thresholds"),
        ("services: [chat]", "services must be a mapping"),
        ("services: {chat: {need: 2}}", "services.chat: unknown need; known: availability, capacity, models, needed"),
        ("services: {chat: {needed: 0}}", "services.chat.needed must be `all` or a whole number from 1, got 0"),
        ("services: {chat: {needed: some}}", "services.chat.needed must be `all` or a whole number from 1, got 'some'"),
        ("services: {chat: {capacity: {requests_per_second: 9}}}", "services.chat.capacity: wait_seconds missing"),
        (
            "services: {chat: {capacity: {requests_per_second: 0, wait_seconds: 1}}}",
            "services.chat.capacity.requests_per_second must be from 0.001",
        ),
        ("services: {chat: {availability: {}}}", "services.chat.availability: ratio missing"),
        ("services: {chat: {availability: 0.99}}", "services.chat.availability must be a mapping"),
        (
            "services: {chat: {availability: {ratio: 99}}}",
            r"services.chat.availability.ratio must be from 0.9 to 0.9999, got 99",
        ),
        (
            "services: {chat: {time_to_first_token: {ratio: 0.95}}}",
            "services.chat.time_to_first_token: seconds missing",
        ),
        (
            "services: {chat: {time_to_first_token: {ratio: 0.95, seconds: 2}}}",
            "time_to_first_token.seconds must be an edge of the engine's buckets, got 2; nearest: 1 and 2.5",
        ),
        (
            "services: {chat: {models: {m: {time_per_output_token: {ratio: 0.95, seconds: 9}}}}}",
            "services.chat.models.m.time_per_output_token.seconds must be .*, got 9; nearest: 2.5$",
        ),
        ("services: {chat: {models: {m: {needed: 1}}}}", "services.chat.models.m: unknown needed"),
        ("period_days: 1", "period_days must be from 7 to 90, got 1"),
        ("min_rate: 0", "min_rate must be from 0.001 to 1000, got 0"),
        ("services: {", "not YAML"),
        ("thresholds: {EngineDown: high}", "thresholds.EngineDown must be a number, got 'high'"),
        ("disabled: EngineDown", "disabled must be a list of alert names"),
    ],
)
def test_what_means_nothing_is_refused(objectives, text, words):
    with pytest.raises(ValueError, match=words):
        objectives(text)


def test_promises_are_read_for_all_models_and_for_one(objectives):
    text = """
services:
  chat:
    availability: {ratio: 0.999}
    time_to_first_token: {seconds: 1, ratio: 0.95}
    models:
      llama: {time_to_first_token: {seconds: 5, ratio: 0.9}}
"""
    every, first_token, llama = objectives(text).promises

    assert every == Promise("chat", "availability", 0.999)
    assert first_token == Promise("chat", "time_to_first_token", 0.95, 1, other_than=("llama",))
    assert llama == Promise("chat", "time_to_first_token", 0.9, 5, model="llama")
    assert [promise.slo for promise in (every, first_token, llama)] == [
        "chat-availability",
        "chat-time_to_first_token",
        "chat-time_to_first_token-llama",
    ]


def test_a_model_with_a_promise_of_its_own_is_left_out_of_everybodys(objectives):
    text = """
services:
  chat:
    time_to_first_token: {seconds: 1, ratio: 0.95}
    models:
      "llama.v1": {time_to_first_token: {seconds: 5, ratio: 0.95}}
"""
    made = {group.name: group for group in groups(TIMING, objectives(text))}
    every, _, _, llama, *_ = (recording.expr for recording in made["slo"].recordings)

    assert '{service="chat", model!="llama.v1", le="+Inf"}' in every
    assert '{service="chat", model="llama.v1", le="+Inf"}' in llama
    # An edge without a fraction, as Prometheus 2.42 and as 3 write it.
    assert r'le=~"1(\\.0)?"' in made["slo"].recordings[1].expr


def test_nothing_promised_is_nothing_recorded_and_nothing_muted(objectives):
    made = {group.name: group for group in groups(TIMING, objectives("services: {chat: }"))}

    assert made["slo"].recordings == made["slo-slow"].recordings == ()
    assert made["slo"].alerts == made["slo-slow"].alerts == ()
    assert "SloFastBurn" not in {mute.alert for alert in made["engine"].alerts for mute in alert.mutes}


def test_an_alert_that_is_disabled_needs_no_mute(objectives):
    made = {group.name: group for group in groups(TIMING, objectives("disabled: [ServiceDown]"))}

    assert "ServiceDown" not in {mute.alert for alert in made["engine"].alerts for mute in alert.mutes}


def test_an_alert_that_does_not_exist_is_refused_by_name():
    with pytest.raises(ValueError, match="no alert EngineDwn; there are AlertmanagerUnreachable, "):
        groups(TIMING, Objectives(disabled=frozenset({"EngineDwn"})))


def test_a_threshold_of_an_alert_that_has_none_is_refused():
    with pytest.raises(ValueError, match="EngineDown has no threshold to be changed; there are CardinalityGrowth, "):
        groups(TIMING, Objectives(thresholds={"EngineDown": 3}))


def test_the_thresholds_that_can_be_changed_are_listed_with_their_defaults(capsys, tmp_path):
    assert main(["--thresholds", "--output", str(tmp_path / "untouched")]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert "HostCpuSaturated       0.8         at most 80 %" in lines
    assert not any(line.startswith("EngineDown ") for line in lines)
    assert not (tmp_path / "untouched").exists()


def test_every_threshold_that_is_listed_changes_what_is_written():
    objectives = load()
    plain = [build(TIMING, objectives) for build in GROUPS]
    for name, default in thresholds(TIMING, objectives).items():
        stated = replace(objectives, thresholds={name: default / 10 or 0.5})

        assert [build(TIMING, stated) for build in GROUPS] != plain, name


def test_a_disabled_alert_is_not_written():
    stated = Objectives(disabled=frozenset({"GpuOverheating"}))

    assert "GpuOverheating" not in catalogue(TIMING, stated)
    assert "GpuOverheating" not in {alert.name for group in groups(TIMING, stated) for alert in group.alerts}
