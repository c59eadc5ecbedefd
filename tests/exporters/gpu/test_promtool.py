"""Prometheus's own linter on the golden pages."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parent / "golden").glob("*.prom"))
PROMTOOL = shutil.which("promtool", path=os.pathsep.join((os.environ.get("INFERWATCH_BIN", ""), os.environ["PATH"])))


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is neither on PATH nor in INFERWATCH_BIN")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_promtool_has_nothing_to_say_about_a_page(page):
    found = subprocess.run([PROMTOOL, "check", "metrics"], input=page.read_bytes(), capture_output=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")
