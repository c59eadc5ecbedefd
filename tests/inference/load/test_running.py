"""`python -m inference.load` against the real service."""

import json
import subprocess
import sys

import pytest

from inference.load.__main__ import main


def load(url, *flags):
    command = [sys.executable, "-m", "inference.load", "--url", url, *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_it_reports_what_it_saw(service):
    ended = load(service.url, "--rate", "4", "--duration", "2", "--max-tokens", "uniform:2:6", "--seed", "1")
    assert ended.returncode == 0, ended.stdout
    first, *rest = ended.stdout.splitlines()
    assert " ok, 0 failed, 0 unfinished in " in first
    assert 3 <= int(first.split()[0]) <= 20
    assert [line[:14].rstrip() for line in rest[:3]] == ["first token", "between tokens", "whole answer"]
    assert all(" p50 " in line and " p99 " in line and " max " in line for line in rest[:3])
    assert rest[3].endswith(" tokens/s")
    assert " ok  0 failed " in ended.stderr


def test_its_json_counts_every_token_once(service):
    ended = load(service.url, "--rate", "10", "--duration", "1", "--max-tokens", "8", "--prompt-words", "2", "--json")
    report = json.loads(ended.stdout)
    assert report["ok"] == report["sent"] > 2
    assert round(report["tokens_per_second"] * report["seconds"]) == 8 * report["ok"]
    assert 0 < report["first_token"]["p50"] < report["whole_answer"]["p50"]


def test_it_counts_errors_by_kind_and_fails(service):
    with service.fault("error"):
        ended = load(service.url, "--rate", "10", "--duration", "0.5", "--seed", "2")
    assert ended.returncode == 1
    assert " x HTTP 500" in ended.stdout


@pytest.mark.long
def test_it_steps_to_the_knee_of_a_slow_service(service):
    steps = ("--rate", "2", "--step-seconds", "2", "--max-tokens", "2", "--first-token-limit", "2")
    with service.fault("slow_steps"):
        ended = load(service.url, "--find-knee", *steps)
    *tried, knee = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stdout
    assert knee.startswith("knee: ")
    # Eight at a time, about half a second each: refused beyond twenty or so a second.
    assert 2 <= float(knee.split()[1]) < 60
    assert any(line.endswith("does not hold") for line in tried)


def test_it_finds_no_knee_where_the_service_refuses_everybody(service):
    with service.fault("reject"):
        ended = load(service.url, "--find-knee", "--rate", "20", "--step-seconds", "0.5")
    tried, none = ended.stdout.splitlines()
    assert ended.returncode == 1
    assert tried.endswith("does not hold")
    assert none.startswith("no knee: 20 requests/s are too many already")


def test_it_says_where_nobody_answers():
    ended = load("http://127.0.0.1:1")
    assert ended.returncode == 1
    assert ended.stderr.startswith("http://127.0.0.1:1 does not answer: ")


def test_a_page_of_something_else_is_no_service(service):
    ended = load(f"{service.url}/metrics?")
    assert ended.returncode == 1
    assert ended.stderr == f"{service.url}/metrics? is no service of this kind: its /v1/models names no model\n"


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--max-tokens", "many"),
        ("--prompt-words", "uniform:64:4"),
        ("--rate", "fast"),
        ("--rate", "inf"),
        ("--rate", "0"),
        ("--concurrency-limit", "0"),
        ("--url", "127.0.0.1:8000"),
        ("--api-key", "schlüssel"),
    ],
)
def test_wrong_arguments_are_told_with_what_to_do(flag, value, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["load", flag, value])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    usage, error = capsys.readouterr().err.splitlines()
    assert usage == "usage: python -m inference.load [options]"
    assert error.startswith(f"python -m inference.load: error: argument {flag}: ")
    assert "invalid _" not in error
