"""What several folders of tests share."""

import os
import random
import shutil
import socket
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
