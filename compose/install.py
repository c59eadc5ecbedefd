"""Makes the virtual environment, with the system's Python and nothing else: `make` runs this before anything of ours.

Does nothing when the environment already fits pyproject.toml. Imports only the standard library.
"""

from __future__ import annotations  # an older Python must still hear that it is too old

import argparse
import hashlib
import importlib.util
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections import deque
from pathlib import Path

_CHECKOUT = Path(__file__).parent.parent
_OLDEST = (3, 11)
_PATIENCE_SECONDS = 5
_LAST_LINES = 20


def main() -> int:
    """Install what is missing; the status says whether the environment can be used."""
    options = _options()
    if problem := _prerequisite():
        return _fail(problem)
    venv = _CHECKOUT / ".venv"
    stamp = venv / ".installed.json"
    if not (missing := set(options.extras) - _installed(stamp)):
        return 0
    try:
        if not (venv / "bin" / "pip").exists():
            _say(f"making {venv}")
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        _install(venv, sorted(missing), options.torch_index)
    except subprocess.CalledProcessError as error:
        return _fail(f"failed with status {error.returncode}: {' '.join(map(str, error.cmd))}")
    stamp.write_text(json.dumps({"pyproject": _fingerprint(), "extras": sorted(missing | _installed(stamp))}))
    return 0


def _fingerprint() -> str:
    return hashlib.sha256((_CHECKOUT / "pyproject.toml").read_bytes()).hexdigest()


def _installed(stamp: Path) -> set[str]:
    """Extras that were installed from pyproject.toml as it is now."""
    try:
        content = json.loads(stamp.read_text())
        return set(content["extras"]) if content["pyproject"] == _fingerprint() else set()
    except (OSError, ValueError, KeyError):
        return set()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="compose/install.py", description="Make .venv and install this checkout into it, if it changed."
    )
    parser.add_argument("--extras", nargs="+", required=True, help="extras of pyproject.toml to install")
    parser.add_argument(
        "--torch-index",
        default="",
        help="package index that has torch without CUDA; used if it answers within 5 s, else pip's own configuration",
    )
    return parser.parse_args()


def _prerequisite() -> str:
    """What the machine lacks, in one line; empty when nothing."""
    if sys.version_info < _OLDEST:
        return f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; name another by `make PYTHON=...`"
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        return "Python's venv is missing; on Debian and Ubuntu: apt-get install python3-venv"
    return ""


def _install(venv: Path, extras: list[str], torch_index: str) -> None:
    if "inference" in extras and _answers(torch_index):
        _say(f"installing torch from {torch_index}")
        # By itself: pip knows no index for one package only, and no other package should come from there.
        _pip(venv, "--extra-index-url", torch_index, _torch())
    _say(f"installing {', '.join(extras)} and what they need; a few minutes the first time")
    _pip(venv, "--editable", f"{_CHECKOUT}[{','.join(extras)}]")


def _pip(venv: Path, *arguments: str) -> None:
    """Run pip install, showing only what is downloaded and, where it fails, the end of its output."""
    command = [str(venv / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout
        for line in pip.stdout:
            last.append(line)
            if line.lstrip().startswith("Downloading ") or "Retrying" in line:
                sys.stdout.write(f"  {line.strip()[:110]}\n")
                sys.stdout.flush()
    if pip.returncode:
        sys.stderr.writelines(last)
        raise subprocess.CalledProcessError(pip.returncode, command)


def _torch() -> str:
    """The requirement as pyproject.toml has it."""
    # Imported here: an older Python, which must still hear that it is too old, has no tomllib.
    import tomllib

    project = tomllib.loads((_CHECKOUT / "pyproject.toml").read_text())["project"]
    requirements: list[str] = project["optional-dependencies"]["inference"]
    return next(requirement for requirement in requirements if requirement.startswith("torch="))


def _answers(url: str) -> bool:
    """Whether the index can be reached; an empty URL cannot."""
    if not url.startswith(("http://", "https://")):
        return False
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/torch/", timeout=_PATIENCE_SECONDS):  # noqa: S310 - http(s)
            return True
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _say(line: str) -> None:
    sys.stdout.write(f"{line} ...\n")
    sys.stdout.flush()


def _fail(message: str) -> int:
    sys.stderr.write(f"install: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
