"""Prometheus's own linter on the golden pages."""

import subprocess
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parent / "golden").glob("*.prom"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_promtool_has_nothing_to_say_about_a_page(page, tool):
    command = [tool("promtool"), "check", "metrics"]
    found = subprocess.run(command, input=page.read_bytes(), capture_output=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")
