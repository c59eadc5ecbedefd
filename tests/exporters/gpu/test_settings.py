"""One table of settings: flags, environment, help and README."""

import os
from pathlib import Path

import pytest

from exporters.gpu.inventory import Expected
from exporters.gpu.settings import SETTINGS, Address, Settings, parse, table

README = Path(__file__).parents[3] / "exporters" / "gpu" / "README.md"
BEGIN, END = "<!-- settings: begin -->\n", "\n<!-- settings: end -->"


def test_the_readme_lists_the_settings_as_they_are():
    text = README.read_text()
    before, rest = text.split(BEGIN)
    shown, after = rest.split(END)
    if os.environ.get("UPDATE_GOLDEN"):
        README.write_text(before + BEGIN + table() + END + after)
        shown = table()
    assert shown == table()


def test_defaults_are_those_of_the_contract():
    assert parse([], {}) == Settings(
        source="auto",
        gpus=2,
        listen_address=Address("127.0.0.1", 9836),
        collection_interval=5.0,
        call_timeout=2.0,
        expected_gpus=Expected(),
        state_file=Path("/var/lib/inferwatch/gpus.json"),
        kernel_log="auto",
        extra_collectors=(),
        kubelet_socket=Path("/var/lib/kubelet/pod-resources/kubelet.sock"),
        slurm_job_directory=None,
        simulated_load_url="http://127.0.0.1:8000/metrics",
        simulated_profile="h200",
        simulated_scenario=None,
        simulated_call_seconds=0.0,
        log_level="info",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8", Expected(count=8)),
        ("remember", Expected(remember=True)),
        ("", Expected()),
        ("./gpus.txt", Expected(file=Path("gpus.txt"))),
    ],
)
def test_expected_gpus_are_a_number_a_file_or_a_memory(text, expected):
    assert parse(["--expected-gpus", text], {}).expected_gpus == expected


def test_an_empty_path_turns_off_what_it_leads_to():
    found = parse(["--state-file=", "--kernel-log=", "--simulated-scenario="], {})
    assert (found.state_file, found.kernel_log, found.simulated_scenario) == (None, None, None)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.field)
def test_the_environment_sets_what_the_flag_sets_and_the_flag_wins(setting):
    other = {
        "source": "nvml",
        "gpus": "8",
        "listen_address": "[::1]:1",
        "collection_interval": "0.5",
        "call_timeout": "0.5",
        "expected_gpus": "8",
        "state_file": "/tmp/gpus.json",
        "kernel_log": "/var/log/kern.log",
        "extra_collectors": "fans,pids",
        "kubelet_socket": "/run/kubelet.sock",
        "slurm_job_directory": "/run/jobs",
        "simulated_load_url": "",
        "simulated_scenario": "/tmp/scenario.json",
        "simulated_call_seconds": "0.0001",
        "simulated_profile": "h200",
        "log_level": "debug",
    }[setting.field]
    by_flag = parse([setting.flag, other], {})
    assert parse([], {setting.environment: other}) == by_flag
    assert parse([setting.flag, other], {setting.environment: "nonsense"}) == by_flag


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--source", "magic"),
        ("--gpus", "-1"),
        ("--gpus", "65"),
        ("--gpus", "two"),
        ("--gpus", "²"),
        ("--listen-address", "9836"),
        ("--listen-address", ":9836"),
        ("--listen-address", "127.0.0.1:65536"),
        ("--collection-interval", "0"),
        ("--collection-interval", "nan"),
        ("--collection-interval", "fast"),
        ("--call-timeout", "0"),
        ("--call-timeout", "61"),
        ("--expected-gpus", "65"),
        ("--expected-gpus", "all"),
        ("--simulated-call-seconds", "2"),
        ("--simulated-load-url", "file:///etc/passwd"),
        ("--simulated-load-url", "http://[broken"),
        ("--simulated-profile", "voodoo2"),
        ("--extra-collectors", "fans,ram"),
        ("--log-level", "loud"),
    ],
)
def test_a_wrong_value_ends_with_2_and_names_the_setting(flag, value, capsys):
    with pytest.raises(SystemExit) as left:
        parse([f"{flag}={value}"], {})
    assert left.value.code == 2
    usage, error = capsys.readouterr().err.splitlines()
    assert usage.startswith("usage: ")
    assert f"error: {flag}: " in error


def test_a_wrong_environment_value_names_its_variable(capsys):
    with pytest.raises(SystemExit):
        parse([], {"GPU_EXPORTER_GPUS": "many"})
    assert "error: GPU_EXPORTER_GPUS: 'many' is not a number from 0 to 64" in capsys.readouterr().err


def test_help_lists_every_setting_with_its_variable(capsys):
    with pytest.raises(SystemExit) as left:
        parse(["--help"], {})
    shown = capsys.readouterr().out.replace("\n", " ")
    assert left.value.code == 0
    assert all(setting.flag in shown and setting.environment in shown for setting in SETTINGS)
