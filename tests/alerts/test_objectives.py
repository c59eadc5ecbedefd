"""objectives.yaml: what it means, and what is refused with a place and a remedy."""

import pytest

from alerts.objectives import Objectives, Service, load
from alerts.rules import catalogue, groups
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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("servces: {}", "unknown servces; known: disabled, services, thresholds"),
        ("services: [chat]", "services must be a mapping"),
        ("services: {chat: {need: 2}}", "services.chat: unknown need; known: needed"),
        ("services: {chat: {needed: 0}}", "services.chat.needed must be `all` or a whole number from 1, got 0"),
        ("services: {chat: {needed: some}}", "services.chat.needed must be `all` or a whole number from 1, got 'some'"),
        ("thresholds: {EngineDown: high}", "thresholds.EngineDown must be a number, got 'high'"),
        ("disabled: EngineDown", "disabled must be a list of alert names"),
    ],
)
def test_what_means_nothing_is_refused(objectives, text, words):
    with pytest.raises(ValueError, match=words):
        objectives(text)


def test_an_alert_that_does_not_exist_is_refused_by_name():
    with pytest.raises(ValueError, match="no alert EngineDwn; there are .*EngineDown, EngineHung"):
        groups(TIMING, Objectives(disabled=frozenset({"EngineDwn"})))


def test_a_disabled_alert_is_not_written():
    stated = Objectives(disabled=frozenset({"GpuOverheating"}))

    assert "GpuOverheating" not in catalogue(TIMING, stated)
    assert "GpuOverheating" not in {alert.name for group in groups(TIMING, stated) for alert in group.alerts}
