"""The rules on Prometheus 3.x: they load, and every case that holds on 2.42 holds there too.

promtool 3.x comes from Debian's unstable suite. Where it cannot be had, these tests are reported as skipped, with the
reason; the last one of `make test-long` fails then.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from compose.binaries import version

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "alerts/generated").glob("*.yml"))
CASES = sorted(Path(__file__).parent.glob("*.yml"))
QUICK = ("capacity", "engine", "gpu_engines", "service")
"""Pages of engines, services and GPUs, in every `make test`; all others take half a minute."""


@pytest.fixture(scope="module")
def promtool(debian: Callable[[str, str], Path]) -> Path:
    """Of Prometheus 3.x."""
    program = debian("sid", "promtool") / "usr" / "bin" / "promtool"
    found = version(program)
    if found is None or found < (3, 0):
        pytest.skip(f"no promtool 3.x: that of sid is {found}, or does not run here")
    return program


def test_the_rules_load(promtool: Path) -> None:
    done = subprocess.run([promtool, "check", "rules", *RULES], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "cases",
    [pytest.param(case, id=case.stem, marks=() if case.stem in QUICK else pytest.mark.long) for case in CASES],
)
def test_a_case_of_2_42_passes(promtool: Path, cases: Path) -> None:
    done = subprocess.run([promtool, "test", "rules", cases], capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_promtool_3_could_be_had(request: pytest.FixtureRequest) -> None:
    try:
        request.getfixturevalue("promtool")
    except pytest.skip.Exception as why:
        pytest.fail(f"the rules were not tested on Prometheus 3.x: {why}")
