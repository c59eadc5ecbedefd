"""Settings come from the environment, then from the running stack, then from defaults."""

from dataclasses import replace

import pytest

from compose.parts import parts
from compose.settings import CHECKOUT, from_environment


def environment(tmp_path, **more):
    return {"INFERWATCH_STATE_DIR": str(tmp_path / "state"), **more}


def test_without_settings_all_is_written_below_the_checkout():
    settings = from_environment({})
    assert settings.state.root == CHECKOUT / ".inferwatch"
    assert settings.bin_dir == CHECKOUT / ".inferwatch" / "bin"


def test_whether_gpus_are_simulated_is_left_to_the_exporters_own_environment(tmp_path):
    """A flag would win over GPU_EXPORTER_SOURCE=simulated, which drills need where there are real GPUs."""
    commands = {part.name: part.command for part in parts(from_environment(environment(tmp_path)))}
    assert "--listen-address" in commands["gpu-exporter"]
    assert "--source" not in commands["gpu-exporter"]


def test_ports_and_clock_of_a_running_stack_need_no_environment(tmp_path):
    started = from_environment(environment(tmp_path, PROMETHEUS_PORT="19090", INFERWATCH_CLOCK="compressed"))
    started.state.create()
    started.remember()
    later = from_environment(environment(tmp_path))
    assert later.url("prometheus") == "http://127.0.0.1:19090"
    assert later.timing.scrape_interval == 1


def test_replicas_of_a_running_stack_are_parts_for_later_commands(tmp_path):
    started = replace(from_environment(environment(tmp_path)), replicas=(8003, 8001))
    started.state.create()
    started.remember()
    first, *_, second, third = parts(from_environment(environment(tmp_path)))
    assert [(part.name, part.url) for part in (second, third)] == [
        ("inference-2", "http://127.0.0.1:8003"),
        ("inference-3", "http://127.0.0.1:8001"),
    ]
    assert second.labels == first.labels
    assert second.environment == first.environment


def test_a_stack_that_is_down_is_forgotten(tmp_path):
    started = from_environment(environment(tmp_path, PROMETHEUS_PORT="19090", INFERWATCH_CLOCK="compressed"))
    started.state.create()
    started.remember()
    started.state.forget()
    later = from_environment(environment(tmp_path))
    assert later.url("prometheus") == "http://127.0.0.1:9090"
    assert later.clock == "real"


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_damaged_memory_means_defaults(text, tmp_path):
    settings = from_environment(environment(tmp_path))
    settings.state.create()
    (settings.state.root / "stack.json").write_text(text)
    assert from_environment(environment(tmp_path)).ports["prometheus"] == 9090


def test_an_unknown_clock_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"INFERWATCH_CLOCK must be one of real, compressed, relaxed, got 'fast'"):
        from_environment(environment(tmp_path, INFERWATCH_CLOCK="fast"))


def test_state_and_secrets_are_for_their_owner_only(tmp_path):
    state = from_environment(environment(tmp_path)).state
    state.create()
    secret = state.write_secret("slack_url", "http://127.0.0.1:1/slack")
    assert secret.read_text() == "http://127.0.0.1:1/slack"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert state.root.stat().st_mode & 0o777 == 0o700
    assert state.secrets.stat().st_mode & 0o777 == 0o700
