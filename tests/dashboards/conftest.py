"""The committed boards, as Grafana would read them."""

import json
from pathlib import Path
from typing import Any

import pytest

GENERATED = Path(__file__).parents[2] / "dashboards/generated"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `board` or `panel` once for each that is committed."""
    boards = {path.stem: json.loads(path.read_text()) for path in sorted(GENERATED.glob("*.json"))}
    if "panel" in metafunc.fixturenames:
        panels = {f"{uid}: {panel['title']}": panel for uid, board in boards.items() for panel in panels_of(board)}
        metafunc.parametrize("panel", panels.values(), ids=panels.keys())
    elif "board" in metafunc.fixturenames:
        metafunc.parametrize("board", boards.values(), ids=boards.keys())


def panels_of(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Every panel that shows something; rows are headings."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]
