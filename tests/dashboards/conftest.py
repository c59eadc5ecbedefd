"""Runs a test that asks for `board` or `panel` once for each that is committed."""

import pytest

from tests.boards import BOARDS, each_panel


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name, found in (("panel", each_panel()), ("board", BOARDS)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, found.values(), ids=found.keys())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what could not be checked on this machine."""
    for report in terminalreporter.stats.get("skipped", ()):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if "NOT CHECKED" in reason:
            terminalreporter.write_line(f"{report.nodeid}: {reason}", red=True, bold=True)
