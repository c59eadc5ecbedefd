"""What several folders of tests share."""

import os
import random
import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from compose.binaries import free_of_root

KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files with what the code makes now")


@pytest.fixture(scope="session")
def tool() -> Callable[[str], Path]:
    """Find promtool, amtool, prometheus or alertmanager: in $INFERWATCH_BIN, which `make test` fills, or on PATH."""

    def find(name: str) -> Path:
        path = shutil.which(name, path=os.pathsep.join((os.environ.get("INFERWATCH_BIN", ""), os.environ["PATH"])))
        if path is None:
            pytest.fail(f"{name} is not on PATH nor in $INFERWATCH_BIN: run the tests by `make test`, which fetches it")
        return Path(path)

    return find


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Find a port for a server that binds it later, never the same one twice.

    From below the ephemeral range, from which the kernel takes ports for outgoing connections: a port of that range
    can be in use by anybody's client by the time the server binds it.
    """
    candidates = random.sample(range(10_000, 32_000), 2_000)

    def find() -> int:
        while True:
            port = candidates.pop()
            try:
                socket.create_server(("127.0.0.1", port)).close()
            except OSError:
                continue
            return port

    return find


@pytest.fixture(scope="session")
def debian(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """`debian("sid", "promtool")`: a package of another Debian, unpacked; kept in pytest's cache for later runs.

    From where this machine's own packages come from. Skips the test, with the reason, where it cannot be had.
    """
    cache = getattr(request.config, "cache", None)
    kept = cache.mkdir("packages") if cache else tmp_path_factory.mktemp("packages")

    def fetch(suite: str, package: str) -> Path:
        unpacked: Path = kept / f"{suite}-{package}"
        if not unpacked.exists():
            scratch = tmp_path_factory.mktemp(suite)
            _download(scratch, suite, package)
            (archive,) = scratch.glob("*.deb")
            subprocess.run(["dpkg", "-x", archive, scratch / "x"], check=True)
            free_of_root(scratch / "x")
            shutil.move(scratch / "x", unpacked)
        return unpacked

    return fetch


def _download(scratch: Path, suite: str, package: str) -> None:
    """Download with package lists of its own; nothing outside scratch is written."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "sources.list").write_text(f"deb [signed-by={KEYS}] {_mirror(scratch)} {suite} main\n")
    private = {
        "Dir::Etc::sourcelist": str(scratch / "sources.list"),
        "Dir::Etc::sourceparts": "-",
        "Dir::State::Lists": str(scratch / "lists"),
        "Dir::Cache": str(scratch / "cache"),
        "Acquire::Languages": "none",
        "Acquire::Check-Valid-Until": "false",
    }
    options = [word for name, value in private.items() for word in ("-o", f"{name}={value}")]
    _apt(scratch, *options, "update")
    _apt(scratch, *options, "download", package)


def _mirror(scratch: Path) -> str:
    """Where this machine gets Debian's packages from."""
    if shutil.which("apt-get") is None or not Path("/etc/debian_version").exists():
        pytest.skip("no package of another Debian: this is no Debian machine")
    codename = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    listed = _apt(scratch, "indextargets", "--format", "$(CODENAME) $(SITE)", "Created-By: Packages").splitlines()
    sites = [site for suite, site in map(str.split, listed) if codename and suite == codename[1]]
    if not sites:
        pytest.skip("no package of another Debian: apt names no mirror of this release")
    return sites[0]


def _apt(scratch: Path, *arguments: str) -> str:
    """Output of apt-get; skips where it fails."""
    command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", *arguments]
    ran = subprocess.run(command, cwd=scratch, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    if ran.returncode:
        pytest.skip(f"no package of another Debian: {(ran.stderr.strip().splitlines() or ['apt-get failed'])[-1]}")
    return ran.stdout
