"""Routes, messages and delivery on newer Alertmanagers than Debian 12's, as far as they can be had here.

Their packages come from where this machine's own packages come from. A version that cannot be had is reported as
skipped, with the reason; where none can be had, the last test fails.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from compose.binaries import version

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
SUITES = {"trixie": (0, 28), "sid": (0, 33)}
TESTED = ("templates", "every_alert", "delivery", "routing", "teams", "trial", "export")
REACHED: set[str] = set()


@pytest.fixture(scope="module", params=SUITES)
def newer(
    request: pytest.FixtureRequest,
    tool: Callable[[str], Path],
    debian: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A directory of tools with the suite's Alertmanager and amtool."""
    suite, scratch = request.param, tmp_path_factory.mktemp(request.param)
    unpacked = debian(suite, "prometheus-alertmanager")
    (scratch / "bin").mkdir()
    for name in ("prometheus", "promtool"):
        (scratch / "bin" / name).symlink_to(tool(name))
    for name, packaged in (("alertmanager", "prometheus-alertmanager"), ("amtool", "amtool")):
        (scratch / "bin" / name).symlink_to(unpacked / "usr" / "bin" / packaged)
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
