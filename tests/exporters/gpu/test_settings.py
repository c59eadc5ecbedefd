"""One table of settings: flags, environment, help and README."""

import os
from pathlib import Path

import pytest

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
        "auto", 2, Address("127.0.0.1", 9836), 5.0, "http://127.0.0.1:8000/metrics", "h200", "info"
    )


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.field)
def test_the_environment_sets_what_the_flag_sets_and_the_flag_wins(setting):
    other = {
        "source": "nvml",
        "gpus": "8",
        "listen_address": "[::1]:1",
        "collection_interval": "0.5",
        "simulated_load_url": "",
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
        ("--simulated-load-url", "file:///etc/passwd"),
        ("--simulated-load-url", "http://[broken"),
        ("--simulated-profile", "voodoo2"),
        ("--log-level", "loud"),
    ],
)
def test_a_wrong_value_ends_with_2_and_names_the_setting(flag, value, capsys):
    with pytest.raises(SystemExit) as left:
        parse([f"{flag}={value}"], {})
    assert left.value.code == 2
    assert f"error: {flag}: " in capsys.readouterr().err


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
