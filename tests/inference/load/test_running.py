"""`python -m inference.load` against the real service."""

import json
import subprocess
import sys


def load(url, *flags):
    command = [sys.executable, "-m", "inference.load", "--url", url, *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_it_reports_what_it_saw(service):
    ended = load(service.url, "--rate", "20", "--duration", "1.2", "--max-tokens", "uniform:4:12", "--seed", "1")
    assert ended.returncode == 0, ended.stdout
    first, *rest = ended.stdout.splitlines()
    assert " ok, 0 failed, 0 unfinished in " in first
    assert 10 <= int(first.split()[0]) <= 40
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


def test_it_steps_to_the_knee_of_a_slow_service(service):
    steps = ("--rate", "6", "--step-seconds", "1", "--max-tokens", "2", "--first-token-limit", "0.35")
    with service.fault("slow_steps"):
        ended = load(service.url, "--find-knee", *steps)
    *tried, knee = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stdout
    assert knee.startswith("knee: ")
    assert 6 <= float(knee.split()[1]) < 1000
    assert any(line.endswith("does not hold") for line in tried)


def test_it_says_where_nobody_answers():
    ended = load("http://127.0.0.1:1")
    assert ended.returncode == 1
    assert ended.stderr.startswith("http://127.0.0.1:1 does not answer: ")


def test_wrong_arguments_are_told_with_what_to_do():
    ended = load("http://127.0.0.1:1", "--max-tokens", "many")
    assert ended.returncode == 2
    assert "argument --max-tokens: " in ended.stderr
