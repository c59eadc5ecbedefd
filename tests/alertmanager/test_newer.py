"""Routes, messages and delivery on newer Alertmanagers than Debian 12's, as far as they can be had here.

Their packages come from where this machine's own packages come from. A version that cannot be had is reported as
skipped, with the reason; where none can be had, the last test fails.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from compose.binaries import free_of_root, version

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
SUITES = {"trixie": (0, 28), "sid": (0, 33)}
TESTED = ("templates", "every_alert", "delivery", "routing", "teams", "trial", "export")
REACHED: set[str] = set()


def apt(scratch: Path, *arguments: str, **options: str) -> str:
    """Output of apt-get; skips where it fails."""
    settings = [word for name, value in options.items() for word in ("-o", f"{name.replace('_', '::')}={value}")]
    command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", *settings, *arguments]
    ran = subprocess.run(command, cwd=scratch, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    if ran.returncode:
        pytest.skip(f"no newer Alertmanager: {(ran.stderr.strip().splitlines() or ['apt-get failed'])[-1]}")
    return ran.stdout


def mirror(scratch: Path) -> str:
    """Where this machine gets Debian's packages from."""
    if shutil.which("apt-get") is None or not Path("/etc/debian_version").exists():
        pytest.skip("no newer Alertmanager: this is no Debian machine")
    release = Path("/etc/os-release").read_text()
    codename = re.search(r"^VERSION_CODENAME=(\w+)$", release, re.MULTILINE)
    targets = apt(scratch, "indextargets", "--format", "$(CODENAME) $(SITE)", "Created-By: Packages").splitlines()
    sites = [site for suite, site in map(str.split, targets) if codename and suite == codename[1]]
    if not sites:
        pytest.skip("no newer Alertmanager: apt names no mirror of this release")
    return sites[0]


@pytest.fixture(scope="module", params=SUITES)
def newer(
    request: pytest.FixtureRequest, tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A directory of tools with the suite's Alertmanager and amtool."""
    suite, scratch = request.param, tmp_path_factory.mktemp(request.param)
    site = mirror(scratch)
    for folder in ("lists/partial", "cache/archives/partial", "bin"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "sources.list").write_text(f"deb [signed-by={KEYS}] {site} {suite} main\n")
    private = {
        "Dir_Etc_sourcelist": str(scratch / "sources.list"),
        "Dir_Etc_sourceparts": "-",
        "Dir_State_Lists": str(scratch / "lists"),
        "Dir_Cache": str(scratch / "cache"),
        "Acquire_Languages": "none",
        "Acquire_Check-Valid-Until": "false",
    }
    apt(scratch, "update", **private)
    apt(scratch, "download", "prometheus-alertmanager", **private)
    (package,) = scratch.glob("*.deb")
    subprocess.run(["dpkg", "-x", package, scratch / "x"], check=True)
    free_of_root(scratch / "x")
    for name in ("prometheus", "promtool"):
        (scratch / "bin" / name).symlink_to(tool(name))
    for name, packaged in (("alertmanager", "prometheus-alertmanager"), ("amtool", "amtool")):
        (scratch / "bin" / name).symlink_to(scratch / "x" / "usr" / "bin" / packaged)
    found = version(scratch / "bin" / "alertmanager")
    if found is None or found < SUITES[suite]:
        pytest.skip(f"no newer Alertmanager: that of {suite} is {found}, or does not run here")
    REACHED.add(suite)
    return scratch / "bin"


@pytest.mark.parametrize("subject", TESTED)
def test_what_holds_on_0_25_holds_there_too(newer: Path, subject: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/alertmanager/test_{subject}.py"]
    environment = {**os.environ, "INFERWATCH_BIN": str(newer)}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3000:]


def test_at_least_one_newer_version_was_tested() -> None:
    assert REACHED, "no newer Alertmanager could be had; see the reasons of what was skipped"
