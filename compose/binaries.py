"""Finds Prometheus, Alertmanager and node-exporter, or fetches them without root and without a system service.

Order: what is on PATH and new enough; what an earlier call fetched; Debian's or Ubuntu's packages, downloaded and
unpacked here. `python -m compose.binaries` prints the directory that then holds every tool under its upstream name.
"""

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from compose.settings import from_environment

_PACKAGES = "packages"
_TEMPLATES = b"/usr/share/prometheus/alertmanager"
_VERSION = re.compile(r"version (\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that the stack starts or asks."""

    name: str
    """Upstream's name."""
    debian: str
    """Debian's name for it."""
    package: str
    minimum: tuple[int, int]
    """The oldest version that the rules and routes are written for."""
    by_hand: str
    """What to install where no package manager of ours can."""


_PROMETHEUS = "Prometheus 3.14.0"
_ALERTMANAGER = "Alertmanager 0.34.0"
TOOLS = (
    Tool("prometheus", "prometheus", "prometheus", (2, 42), _PROMETHEUS),
    Tool("promtool", "promtool", "prometheus", (2, 42), _PROMETHEUS),
    Tool("alertmanager", "prometheus-alertmanager", "prometheus-alertmanager", (0, 25), _ALERTMANAGER),
    Tool("amtool", "amtool", "prometheus-alertmanager", (0, 25), _ALERTMANAGER),
    Tool("node_exporter", "prometheus-node-exporter", "prometheus-node-exporter", (1, 5), "node_exporter 1.12.1"),
)


class BinariesMissingError(RuntimeError):
    """A tool is neither installed nor can be fetched; the message says what to install."""


def version(program: Path) -> tuple[int, int] | None:
    """Major and minor version; None where it is absent, does not run here or says none."""
    text = _output(program, "--version")
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2])) if found else None


def offers(program: Path, flag: str) -> bool:
    """Whether the program knows a command-line flag, as `--name`."""
    return re.search(rf"^\s+(-\w, )?{re.escape(flag)}\b", _output(program, "--help"), re.MULTILINE) is not None


def is_debian_build(program: Path) -> bool:
    """Whether Debian built it; Debian's Alertmanager has no web page."""
    return "debian" in _output(program, "--version")


def missing(directory: Path) -> list[Tool]:
    """Tools that the directory lacks, or has in a version that is too old."""
    return [tool for tool in TOOLS if (version(directory / tool.name) or (0, 0)) < tool.minimum]


def ensure(directory: Path, say: Callable[[str], None]) -> None:
    """Make the directory hold every tool; returns at once where it does.

    Raises:
        BinariesMissingError: A tool can be neither found nor fetched.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = missing(directory)
        for tool in wanted:
            if installed := _on_path(tool):
                _link(directory / tool.name, installed)
        wanted = missing(directory)
        if wanted:
            say(f"fetching {', '.join(sorted({tool.package for tool in wanted}))} into {directory}")
            _fetch(directory, wanted, say)


def _output(program: Path, argument: str) -> str:
    try:
        ran = subprocess.run([program, argument], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout + ran.stderr


def _on_path(tool: Tool) -> Path | None:
    for name in (tool.name, tool.debian):
        found = shutil.which(name)
        if found and (version(Path(found)) or (0, 0)) >= tool.minimum:
            return Path(found).resolve()
    return None


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _fetch(directory: Path, wanted: list[Tool], say: Callable[[str], None]) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise BinariesMissingError(_by_hand(wanted, "this is no Debian or Ubuntu machine"))
    with tempfile.TemporaryDirectory(dir=directory, prefix=".fetch-") as scratch:
        problem = _download(Path(scratch), sorted({tool.package for tool in wanted}))
        if problem:
            raise BinariesMissingError(_by_hand(wanted, problem))
        if problem := _download_pages(Path(scratch)):
            say(f"the pages of Prometheus will lack scripts ({problem})")
        unpacked = Path(scratch) / _PACKAGES
        for package in Path(scratch).glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, unpacked], check=True, capture_output=True)
        # 200 MB that no page reads: the time zones before they were made into scripts.
        shutil.rmtree(unpacked / "usr" / "share" / "javascript" / "moment-timezone" / "data", ignore_errors=True)
        free_of_root(unpacked)
        shutil.rmtree(directory / _PACKAGES, ignore_errors=True)
        unpacked.rename(directory / _PACKAGES)
    for tool in wanted:
        # Relative, so that a checkout can be moved.
        _link(directory / tool.name, Path(_PACKAGES, "usr", "bin", tool.debian))
    if old := missing(directory):
        raise BinariesMissingError(_by_hand(old, "the system's packages are too old or do not run"))


def free_of_root(packages: Path) -> None:
    """Let Debian's Alertmanager run where only root could install it.

    It opens its built-in templates below an absolute path, and no flag changes that. The path is replaced by one of
    the same length that leads through a file descriptor, which a start script opens beside the program.
    """
    program = packages / "usr" / "bin" / "prometheus-alertmanager"
    if not program.exists() or _TEMPLATES not in (code := program.read_bytes()):
        return
    through = b"/proc/self/fd/9".ljust(len(_TEMPLATES), b"/")
    real = program.with_suffix(".real")
    real.write_bytes(code.replace(_TEMPLATES, through))
    real.chmod(0o755)
    program.write_text(
        '#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\n'
        f'exec 9<"$here/../..{_TEMPLATES.decode()}"\nexec "$here/{real.name}" "$@"\n'
    )


def _download(scratch: Path, packages: list[str]) -> str:
    """Download with the system's package lists or, where those are absent or stale, with private ones.

    Returns what went wrong, empty on success. Writes nothing outside scratch.
    """
    if not _apt(scratch, [], ["download", *packages]):
        return ""
    lists, cache = scratch / "lists", scratch / "cache"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    (cache / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    private = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}"]
    return _apt(scratch, private, ["update"]) or _apt(scratch, private, ["download", *packages])


def _download_pages(scratch: Path) -> str:
    """Scripts and fonts that Debian's pages of Prometheus link to; returns what went wrong, empty on success."""
    had: set[str] = set()
    while missing := {name for package in scratch.glob("*.deb") for name in _page_packages(package)} - had:
        if problem := _download(scratch, sorted(missing)):
            return problem
        had |= missing
    return ""


def _page_packages(package: Path) -> list[str]:
    """Names of the packages with scripts and fonts that a package depends on."""
    depends = subprocess.run(["dpkg", "-f", package, "Depends"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"\b((?:libjs|fonts)-[a-z0-9.+-]+)", depends)


def _apt(scratch: Path, options: list[str], arguments: list[str]) -> str:
    """Run apt-get; returns its last error line, empty on success."""
    ran = subprocess.run(
        # Started by root, apt would switch to a user of its own, which cannot write into our directory.
        ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", *options, *arguments],
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
    )
    lines = (ran.stderr or ran.stdout).strip().splitlines()
    return (lines[-1] if lines else "apt-get failed") if ran.returncode else ""


def _by_hand(tools: list[Tool], why: str) -> str:
    names = ", ".join(sorted({tool.by_hand for tool in tools}))
    programs = ", ".join(tool.name for tool in tools)
    return (
        f"cannot fetch {programs} ({why}). Install {names} or newer by hand and put the programs on PATH, "
        "or name their directory in INFERWATCH_BIN."
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the directory with every tool, fetching what is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m compose.binaries",
        description="Find or fetch Prometheus, Alertmanager and node-exporter; print the directory that holds them.",
    )
    parser.parse_args(arguments)
    try:
        directory = from_environment(os.environ).bin_dir
        ensure(directory, lambda line: print(line, file=sys.stderr))
    except (BinariesMissingError, ValueError, OSError) as error:
        print(f"python -m compose.binaries: {error}", file=sys.stderr)
        return 1
    print(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
