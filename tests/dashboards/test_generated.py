"""The committed files are what the code writes, and what Grafana's classic model reads."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.plugins import register_default_plugins

from alerts.links import Links
from dashboards.__main__ import main, render
from dashboards.boards import BOARDS
from dashboards.sdk import model, to_json

FOLDER = Path(__file__).parents[2] / "dashboards"


def test_committed_boards_are_what_the_generator_writes():
    assert {path.name: path.read_text() for path in (FOLDER / "generated").iterdir()} == render(Links())


def test_every_board_of_the_folder_is_in_its_list():
    stems = [path.stem for path in (FOLDER / "boards").glob("*.py") if path.stem != "__init__"]
    found = [importlib.import_module(f"dashboards.boards.{stem}").BOARD.uid for stem in stems]
    assert sorted(found) == sorted(board.uid for board in BOARDS)


def test_uids_are_distinct():
    assert len({board.uid for board in BOARDS}) == len(BOARDS)


def test_second_run_changes_nothing_and_says_so(tmp_path, capsys):
    main(["--output", str(tmp_path)])
    capsys.readouterr()
    main(["--output", str(tmp_path)])
    assert capsys.readouterr().out == f"{tmp_path}: nothing changed\n"


def test_board_reads_back_unchanged_through_the_sdk(board):
    register_default_plugins()
    text = json.dumps(board, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    assert to_json(model.Dashboard.from_json(board)) == text


def test_board_is_classic_json(board):
    assert board["schemaVersion"] >= 39
    assert "spec" not in board


def test_runbooks_follow_the_environment(tmp_path):
    environment = {"RUNBOOK_URL": "https://wiki.example.org/runbooks/"}
    command = [sys.executable, "-m", "dashboards", "--output", tmp_path]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    [constant] = [
        variable
        for variable in json.loads((tmp_path / "fleet.json").read_text())["templating"]["list"]
        if variable["name"] == "runbooks"
    ]
    assert constant["query"] == "https://wiki.example.org/runbooks"


def test_unusable_link_ends_with_status_2_and_says_why(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "dashboards", "--output", tmp_path],
        env={"RUNBOOK_URL": "javascript:alert(1)"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "not an http(s) URL" in done.stderr
    assert list(tmp_path.iterdir()) == []
