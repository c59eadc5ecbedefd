"""What a Docker build takes from pyproject.toml is what an installation would have."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "compose" / "requirements.py"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def run(*arguments: str, python_path: str = "") -> str:
    command = [sys.executable, "-S", *arguments]
    return subprocess.run(command, env={"PYTHONPATH": python_path}, capture_output=True, text=True, check=True).stdout


def test_what_is_installed_is_the_base_and_the_extras() -> None:
    said = run(str(SCRIPT), "probe").splitlines()
    assert said == sorted({*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["probe"]})


def test_a_program_beside_the_metadata_knows_its_version(tmp_path: Path) -> None:
    run(str(SCRIPT), "--metadata", str(tmp_path))
    asked = "from importlib.metadata import version; print(version('inferwatch'))"
    assert run("-c", asked, python_path=str(tmp_path)).strip() == PROJECT["version"]
