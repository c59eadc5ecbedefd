"""Flags and environment to settings; every wrong one is named, in one line each."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from inference.readme import render
from inference.settings import InvalidSettingsError, Settings, flag, read

README = Path(__file__).parents[2] / "inference/README.md"


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)


def test_without_anything_the_service_is_local_and_has_no_faults():
    settings = read([])
    assert (settings.host, settings.port, settings.enable_faults) == ("127.0.0.1", 8000, False)
    assert settings.model_name == "inferwatch-tiny"


def test_the_environment_is_read_and_flags_win(monkeypatch):
    monkeypatch.setenv("INFERENCE_PORT", "1234")
    monkeypatch.setenv("INFERENCE_FAULTS", "1")
    monkeypatch.setenv("MAX_BATCH_SIZE", "")
    assert (read([]).port, read([]).enable_faults, read([]).max_batch_size) == (1234, True, 16)
    assert read(["--port", "5678"]).port == 5678


def test_names_that_others_use_for_their_own_ends_are_not_read(monkeypatch):
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("PORT", "1")
    assert (read([]).host, read([]).port) == ("127.0.0.1", 8000)


def test_every_wrong_setting_gets_its_line(monkeypatch):
    monkeypatch.setenv("INFERENCE_FAULTS", "perhaps")
    with pytest.raises(InvalidSettingsError) as caught:
        read(["--port", "70000", "--model", "./nowhere"])
    lines = sorted(str(caught.value).splitlines())
    assert [line.split(":")[0] for line in lines] == [
        "INFERENCE_FAULTS (--enable-faults)",
        "INFERENCE_PORT (--port)",
        "MODEL (--model)",
    ]
    assert lines[2].startswith("MODEL (--model): no such directory, or no model in it ")
    assert lines[2].endswith("(got './nowhere')")


def test_a_model_is_named_after_its_directory_or_its_id(tmp_path):
    (tmp_path / "my-model").mkdir()
    (tmp_path / "my-model" / "config.json").touch()
    assert read(["--model", str(tmp_path / "my-model")]).model_name == "my-model"
    assert read(["--model", "owner/name"]).model_name == "owner/name"
    assert read(["--model", "owner/name", "--served-model-name", "short"]).model_name == "short"


def run(*flags, **environment):
    command = [sys.executable, "-m", "inference", *flags]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=20)


def test_a_wrong_setting_exits_2_with_nothing_but_its_line():
    ended = run(QUEUE_LIMIT="none")
    assert ended.returncode == 2
    assert ended.stderr.startswith("QUEUE_LIMIT (--queue-limit): ")
    assert ended.stderr.count("\n") == 1


def test_help_lists_every_setting():
    shown = run("--help").stdout
    for name, field in Settings.model_fields.items():
        assert flag(name) in shown
        assert f"[{field.alias}" in shown.replace("\n", " ")


def test_the_readme_shows_every_setting_as_it_is():
    text = README.read_text()
    assert render(text) == text
    assert text.count("| `--") == len(Settings.model_fields)


def test_off_a_loopback_address_keys_are_needed_or_a_word_that_they_are_not(tmp_path):
    (tmp_path / "keys").write_text("one:0123456789abcdef\n")
    with pytest.raises(InvalidSettingsError) as caught:
        read(["--host", "0.0.0.0"])
    assert str(caught.value) == (
        "API_KEYS_FILE (--api-keys-file): a file of name:key lines is needed, as 0.0.0.0 is no loopback address; "
        "or set ALLOW_ANONYMOUS=1 where something else keeps strangers out"
    )
    assert read(["--host", "0.0.0.0", "--api-keys-file", str(tmp_path / "keys")]).host == "0.0.0.0"
    assert read(["--host", "0.0.0.0", "--allow-anonymous"]).host == "0.0.0.0"
    assert read(["--host", "::1"]).host == "::1"
    assert read(["--host", "localhost"]).host == "localhost"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--rate-limit", "many"], "RATE_LIMIT (--rate-limit): must be one rate, "),
        (["--rate-limit", "0/minute"], "RATE_LIMIT (--rate-limit): must be one rate, "),
        (["--rate-limit", "1/second; 2/hour"], "RATE_LIMIT (--rate-limit): must be one rate, "),
        (["--cors-origins", "chat.example"], "CORS_ORIGINS (--cors-origins): must be origins, "),
        (["--gpu-uuids", "0,1"], "GPU_UUIDS (--gpu-uuids): must be UUIDs as nvidia-smi -L shows them, "),
        (["--otel-exporter-otlp-endpoint", "localhost:4318"], "OTEL_EXPORTER_OTLP_ENDPOINT "),
        (
            ["--otel-logs-exporter", "otlp"],
            "OTEL_EXPORTER_OTLP_ENDPOINT (--otel-exporter-otlp-endpoint): needed where OTEL_LOGS_EXPORTER is otlp",
        ),
        (["--api-keys-file", "nowhere"], "API_KEYS_FILE (--api-keys-file): nowhere cannot be read: No such file"),
        (["--audit-log", "nowhere/audit.log"], "AUDIT_LOG (--audit-log): cannot be written: "),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_a_wrong_text_is_refused_with_what_it_should_be(arguments, problem):
    with pytest.raises(InvalidSettingsError) as caught:
        read(arguments)
    assert str(caught.value).startswith(problem)
    assert "\n" not in str(caught.value)


def test_lists_are_written_with_commas(monkeypatch):
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example, http://localhost:3000")
    assert read([]).cors_origins == ("https://a.example", "http://localhost:3000")
    assert read([]).gpu_uuids == ()


def test_the_hash_of_the_configuration_tells_what_it_does_from_where_it_is():
    before = read([]).config_hash
    assert read(["--host", "::1", "--port", "1"]).config_hash == before
    assert read(["--gpu-uuids", "GPU-11111111-2222-3333-4444-555555555555"]).config_hash == before
    assert read(["--max-batch-size", "4"]).config_hash != before
    assert len(before) == 12


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--host", "0.0.0.0", "--otel-logs-exporter", "otlp"], ["API_KEYS_FILE", "OTEL_EXPORTER_OTLP_ENDPOINT"]),
        (["--port", "-1"], ["INFERENCE_PORT"]),
    ],
    ids=["missing", "wrong"],
)
def test_everything_that_is_missing_gets_its_line_and_so_does_every_wrong_fault(monkeypatch, arguments, wrong):
    monkeypatch.setenv("INFERENCE_FAULT_HANG", "x")
    monkeypatch.setenv("INFERENCE_FAULT_NOTHING", "{}")
    with pytest.raises(InvalidSettingsError) as caught:
        read([*arguments, "--enable-faults"])
    lines = [re.split(r"[: ]", line)[0] for line in str(caught.value).splitlines()]
    assert lines == [*wrong, "INFERENCE_FAULT_HANG", "INFERENCE_FAULT_NOTHING"]


def test_the_model_in_this_directory_has_its_name(tmp_path, monkeypatch):
    (tmp_path / "config.json").touch()
    monkeypatch.chdir(tmp_path)
    assert read(["--model", "."]).model_name == tmp_path.name


def test_the_audit_log_needs_a_directory_that_takes_a_new_file_each_day(tmp_path, monkeypatch):
    (tmp_path / "audit.log").touch()
    # Root may write everywhere, so the system is asked in its place.
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    with pytest.raises(InvalidSettingsError, match="cannot be written"):
        read(["--audit-log", str(tmp_path / "audit.log")])
