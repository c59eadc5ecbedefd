"""`make` by itself says what can be made, and a machine that lacks something is told so in one line."""

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def make(*arguments):
    return subprocess.run(["make", "--no-print-directory", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_make_alone_lists_what_can_be_made():
    done = make()
    assert done.returncode == 0
    names = [line.split()[1] for line in done.stdout.splitlines()]
    assert {"help", "up", "down", "status", "drill", "test", "test-long", "lint", "generate"} <= set(names)


def test_a_missing_python_is_named_in_one_line():
    done = make("up", "PYTHON=python-that-is-not-there")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "python-that-is-not-there is missing: install Python 3.11 or newer, with venv"


def test_a_python_without_venv_is_told_what_to_install():
    program = (
        "import sys; sys.modules['ensurepip'] = None; sys.path.insert(0, 'compose'); import install\n"
        "sys.argv[1:] = ['--extras', 'stack']; sys.exit(install.main())"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "install: Python's venv is missing; on Debian and Ubuntu: apt-get install python3-venv\n"


def test_the_example_of_own_targets_is_what_prometheus_reads():
    entries = yaml.safe_load((ROOT / "compose/targets/engines.yml.example").read_text())
    assert [entry["labels"]["job"] for entry in entries] == ["vllm", "dcgm-exporter"]
    assert all(":" in target for entry in entries for target in entry["targets"])
