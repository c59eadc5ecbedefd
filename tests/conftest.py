"""What several folders of tests share."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


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
