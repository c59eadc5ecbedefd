"""Runs a test that asks for `board` or `panel` once for each that is committed."""

import pytest

from tests.boards import BOARDS, each_panel


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name, found in (("panel", each_panel()), ("board", BOARDS)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, found.values(), ids=found.keys())
