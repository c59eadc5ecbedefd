"""The `inferwatch` command as a shell meets it: words, exit codes, and nothing left behind."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from alerts import objectives
from compose import ports
from compose.cli import main
from compose.state import State

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path, free_port):
    """Own state and own ports."""
    return {
        **os.environ,
        **{port.variable: str(free_port()) for port in ports.PORTS},
        "INFERWATCH_STATE_DIR": str(tmp_path / "state"),
    }


@pytest.fixture
def inferwatch(environment):
    def run(*arguments, **more):
        return subprocess.run(
            [sys.executable, "-m", "compose.cli", *arguments],
            env={**environment, **more},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture
def tools_with(tool, tmp_path):
    """Makes a directory of real tools but for node_exporter, which does what it is told by the shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("prometheus", "promtool", "alertmanager", "amtool"):
        (folder / name).symlink_to(tool(name))
    program = folder / "node_exporter"

    def make(does):
        program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exec echo "version 9.9.9"\n{does}\n')
        program.chmod(0o755)
        return str(folder)

    return make


@pytest.fixture
def broken_tools(tools_with):
    """Tools of which one says why it ends, and does, whenever it is started."""
    return tools_with('echo "the disk is on fire"; exit 3')


COMMANDS = [(), ("up",), ("down",), ("status",), ("drill",), ("doctor",), ("reload",), ("backup",), ("restore",)]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, inferwatch):
    done = inferwatch(*command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: inferwatch")


@pytest.mark.parametrize("wrong", [(), ("sideways",), ("up", "--clock", "fast"), ("drill",), ("status", "--yaml")])
def test_wrong_usage_ends_with_2(wrong, inferwatch):
    done = inferwatch(*wrong)
    assert done.returncode == 2
    assert "usage: inferwatch" in done.stderr


def test_a_wrong_port_ends_with_2_and_one_line(inferwatch):
    done = inferwatch("up", PROMETHEUS_PORT="http")
    assert done.returncode == 2
    assert done.stderr == "inferwatch: PROMETHEUS_PORT must be a port number from 1 to 65535, got 'http'\n"


def test_a_stack_that_is_down_has_a_status_too(inferwatch, environment):
    done = inferwatch("status", "--json")
    parts = {part["name"]: part for part in json.loads(done.stdout)}
    assert set(parts) == {
        "inference",
        "gpu-exporter",
        "probe",
        "prometheus",
        "alertmanager",
        "inbox",
        "deadman",
        "node-exporter",
    }
    assert parts["prometheus"] == {
        "name": "prometheus",
        "url": f"http://127.0.0.1:{environment['PROMETHEUS_PORT']}",
        "healthy": False,
        "pid": None,
    }
    assert done.returncode == 1


def test_taking_down_what_is_down_is_no_error(inferwatch):
    assert inferwatch("down").returncode == 0


def test_a_drill_without_a_stack_says_how_to_start_one(inferwatch):
    done = inferwatch("drill", "engine_dies")
    assert done.returncode == 1
    assert done.stderr == "inferwatch: the stack does not run; start it with `make up`\n"


def test_a_reload_without_a_stack_says_how_to_start_one(inferwatch):
    done = inferwatch("reload")
    assert done.returncode == 1
    assert done.stderr == "inferwatch: the stack does not run; start it with `make up`\n"


@pytest.mark.parametrize("command", [("status",), ("drill", "engine_dies"), ("backup", "x")])
def test_containers_without_docker_are_one_line_that_says_what_to_do(command, inferwatch):
    done = inferwatch(*command, "--containers", PATH="/nonexistent")
    assert done.returncode == 1
    assert done.stderr.startswith("inferwatch: there is no `docker` here; install Docker Engine and Compose")


def test_a_backup_without_a_stack_says_how_to_start_one(inferwatch, tmp_path):
    done = inferwatch("backup", str(tmp_path / "backup"))
    assert done.returncode == 1
    assert done.stderr == "inferwatch: the stack does not run; start it with `make up`\n"
    assert not (tmp_path / "backup").exists()


def test_a_file_of_objectives_that_is_wrong_is_one_line_and_keeps_nobody_from_taking_the_stack_down(
    environment, monkeypatch, tmp_path, capsys
):
    wrong = tmp_path / "objectives.yaml"
    wrong.write_text("services: [{match: {}, ratio: 99}]")
    monkeypatch.setattr(objectives.load, "__defaults__", (wrong,))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["rules", "explain", "EngineDown"]) == 2
    assert capsys.readouterr().err.startswith(f"inferwatch: {wrong}: ")
    assert main(["down"]) == 0


def test_an_unknown_alert_ends_with_2_and_the_names_there_are(inferwatch):
    done = inferwatch("rules", "explain", "EngineDwn")
    assert done.returncode == 2
    assert done.stderr.startswith("inferwatch: no alert 'EngineDwn'; there are ")
    assert done.stderr.count("\n") == 1


def test_every_drill_is_listed_with_its_alert(inferwatch):
    done = inferwatch("drill", "--list")
    assert done.returncode == 0
    assert any(line.startswith("engine_dies ") and line.endswith("[EngineDown]") for line in done.stdout.splitlines())


def test_a_taken_port_is_one_line_that_names_its_variable(inferwatch, environment, broken_tools):
    with socket.create_server(("127.0.0.1", int(environment["INBOX_SMTP_PORT"]))):
        done = inferwatch("up", INFERWATCH_BIN=broken_tools)
    assert done.returncode == 1
    assert done.stderr.startswith(f"inferwatch: port {environment['INBOX_SMTP_PORT']} is taken by ")
    assert done.stderr.endswith("; set INBOX_SMTP_PORT to a free port\n")


def test_a_part_that_does_not_start_fails_up_with_its_own_words_and_leaves_nothing(
    inferwatch, broken_tools, pids_of, tmp_path
):
    done = inferwatch("up", INFERWATCH_BIN=broken_tools)
    assert done.returncode == 1
    assert "node-exporter ended 2 times instead of starting" in done.stderr
    assert "| the disk is on fire" in done.stderr
    assert pids_of(State(tmp_path / "state")) == []


def test_an_interrupted_up_leaves_nothing(environment, tools_with, pids_of, tmp_path, eventually):
    # Not one that ends: on a slow machine `up` could give up before it is interrupted.
    never_ready = tools_with("exec sleep 600")
    state = State(tmp_path / "state")
    command = [sys.executable, "-m", "compose.cli", "up"]
    with subprocess.Popen(
        command,
        env={**environment, "INFERWATCH_BIN": never_ready},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as up:
        eventually(lambda: len(pids_of(state)) > 3 or up.poll() is not None, seconds=60)
        up.send_signal(signal.SIGINT)
        _, said = up.communicate(timeout=30)
    assert up.returncode == 130, said
    assert said == b"inferwatch: interrupted\n"
    assert pids_of(state) == []


def test_the_doctor_says_what_to_do_about_each_thing_that_is_missing(inferwatch, tmp_path):
    done = inferwatch("doctor", INFERWATCH_BIN=str(tmp_path / "nothing"))
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert sum(line.startswith("FAIL ") for line in lines) == 5  # the tools
    for line, following in itertools.pairwise(lines):
        if line.startswith("FAIL "):
            assert following.startswith("     -> run `")
    assert "ok   ports: all free" in lines
