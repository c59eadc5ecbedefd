"""Tools are taken from the machine where they are new enough, under upstream's names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEW_ENOUGH = {
    "prometheus": "2.42.0",
    "promtool": "3.14.0",
    "prometheus-alertmanager": "0.25.0",
    "amtool": "0.34.0",
    "prometheus-node-exporter": "1.5.0",
}


@pytest.fixture
def machine(tmp_path):
    """A PATH with stand-ins that say a version, and nothing to fetch packages with."""
    path = tmp_path / "path"
    path.mkdir()

    def find(programs):
        for name, version in programs.items():
            (path / name).write_text(f"#!/bin/sh\necho '{name}, version {version} (branch: x)'\n")
            (path / name).chmod(0o755)
        environment = {**os.environ, "PATH": str(path), "INFERWATCH_BIN": str(tmp_path / "bin")}
        return subprocess.run(
            [sys.executable, "-m", "compose.binaries"], env=environment, cwd=ROOT, capture_output=True, text=True
        )

    return find


def test_what_is_installed_is_used_under_upstreams_names(machine, tmp_path):
    done = machine(NEW_ENOUGH)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'bin'}\n"
    names = {"prometheus", "promtool", "alertmanager", "amtool", "node_exporter"}
    assert {entry.name for entry in (tmp_path / "bin").iterdir() if entry.is_symlink()} == names
    assert (tmp_path / "bin" / "alertmanager").resolve() == tmp_path / "path" / "prometheus-alertmanager"


def test_asking_again_changes_nothing(machine, tmp_path):
    machine(NEW_ENOUGH)
    before = sorted((tmp_path / "bin").iterdir())
    assert machine(NEW_ENOUGH).returncode == 0
    assert sorted((tmp_path / "bin").iterdir()) == before


@pytest.mark.parametrize("version", ["2.31.2", "not a version"])
def test_what_is_too_old_or_does_not_run_is_not_used(version, machine):
    done = machine(NEW_ENOUGH | {"prometheus": version})
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "python -m compose.binaries: cannot fetch prometheus (this is no Debian or Ubuntu machine). Install Prometheus "
        "3.14.0 or newer by hand and put the programs on PATH, or name their directory in INFERWATCH_BIN."
    )


def test_where_nothing_can_be_fetched_every_missing_program_is_named(machine):
    done = machine({})
    assert done.returncode == 1
    assert done.stdout == ""
    for words in (
        "prometheus, promtool, alertmanager, amtool, node_exporter",
        "Alertmanager 0.34.0",
        "node_exporter 1.12.1",
    ):
        assert words in done.stderr


def test_the_alertmanager_that_the_tests_use_finds_its_templates(tool, tmp_path):
    """Debian's, unpacked without root, would look for them where only root can put them."""
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    flags = [f"--config.file={config}", f"--storage.path={tmp_path}", "--web.listen-address=127.0.0.1:0"]
    command = [tool("alertmanager"), *flags, "--cluster.listen-address="]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            if "Listening" in line or "err=" in line:
                break
        process.terminate()
    assert "err=" not in said[-1], said[-1]
