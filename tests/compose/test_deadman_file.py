"""compose/deadman.yaml starts the switch from the few files that it copies, with settings that the switch knows."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from alertmanager.deadman.settings import SETTINGS

ROOT = Path(__file__).parents[2]
SERVICE = yaml.safe_load((ROOT / "compose" / "deadman.yaml").read_text())["services"]["deadman"]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The files that the image would hold."""
    for line in SERVICE["build"]["dockerfile_inline"].splitlines():
        if copied := re.match(r"COPY (.+) /app/(\S+)$", line):
            target = tmp_path / copied[2]
            for source in copied[1].split():
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    target.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / source, target)
    return tmp_path


def test_the_copied_files_are_enough_and_so_are_the_installed_packages(image: Path) -> None:
    program = (
        "import sys, runpy; sys.argv = ['deadman', '--help']\n"
        "try: runpy.run_module('alertmanager.deadman', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(sorted({'pydantic', 'yaml', 'fastapi'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, cwd=image, env={"PYTHONPATH": str(image)}, capture_output=True, text=True, check=True)
    assert "--slack-url-file" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "[]"


def test_every_variable_is_one_that_the_switch_reads() -> None:
    assert set(SERVICE["environment"]) <= {setting.variable for setting in SETTINGS}


def test_it_is_open_to_this_machine_alone_unless_told() -> None:
    assert SERVICE["ports"] == ["${DEADMAN_BIND:-127.0.0.1}:${DEADMAN_PORT:-9838}:9838"]
