"""`inferwatch dashboards` against a stand-in for Grafana over real HTTP (grafana_stand_in.py says what it is not)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from alerts.links import Links
from compose.cli import main
from dashboards.__main__ import render
from dashboards.publish import Grafana
from tests.dashboards.grafana_stand_in import TOKEN, running

ROOT = Path(__file__).parents[2]
UIDS = ["capacity", "fleet", "gpu", "gpu-fleet", "service", "slo", "telemetry"]
BOARDS = {name.removesuffix(".json"): text for name, text in render(Links()).items()}


@pytest.fixture
def grafana():
    with running() as state:
        yield state


@pytest.fixture
def there(grafana):
    """The stand-in, seen by the code that publishes."""
    with Grafana(grafana.url, TOKEN) as connected:
        yield connected


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


@pytest.fixture
def inferwatch(grafana, token_file, monkeypatch, capsys):
    """Run the command in this process: its status, and what it said."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setenv("GRAFANA_URL", environment.get("GRAFANA_URL", grafana.url))
        monkeypatch.setenv("GRAFANA_TOKEN_FILE", environment.get("GRAFANA_TOKEN_FILE", str(token_file)))
        capsys.readouterr()
        status = main(["dashboards", *arguments])
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, said.out, said.err)

    return run


def test_push_makes_the_folder_and_writes_every_board_with_the_version(grafana, token_file):
    command = ("-m", "compose.cli", "dashboards", "push", "--url", grafana.url, "--token-file", token_file)
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, f"written: {', '.join(UIDS)}\n"), done.stderr
    assert grafana.folders == {"inferwatch": "Inferwatch"}
    assert sorted(grafana.boards) == UIDS
    for uid, saved in grafana.boards.items():
        committed = json.loads((ROOT / f"dashboards/generated/{uid}.json").read_text())
        assert {key: value for key, value in saved["dashboard"].items() if key not in ("id", "version")} == committed
        assert saved["folderUid"] == "inferwatch"
        assert saved["message"] == "inferwatch 0.1.0"


def test_a_second_push_writes_nothing(there, grafana):
    there.push(BOARDS)
    grafana.writes.clear()

    assert there.push(BOARDS) == []
    assert grafana.writes == []


def test_only_what_somebody_changed_is_written_again(there, grafana):
    there.push(BOARDS)
    grafana.boards["fleet"]["dashboard"]["title"] = "Mine"
    grafana.writes.clear()

    assert there.push(BOARDS) == ["fleet"]
    assert grafana.writes == ["POST /api/dashboards/db"]
    assert grafana.boards["fleet"]["dashboard"]["title"] == "Fleet overview"
    assert grafana.boards["fleet"]["dashboard"]["version"] == 2


def test_a_dry_run_says_what_it_would_do_and_does_nothing(inferwatch, grafana):
    done = inferwatch("push", "--dry-run")

    assert (done.returncode, done.stdout) == (0, f"would write: {', '.join(UIDS)}\n"), done.stderr
    assert grafana.writes == []


def test_diff_shows_what_differs_and_what_is_missing(inferwatch, there, grafana):
    there.push(BOARDS)
    assert there.differences(BOARDS) == []
    grafana.boards["slo"]["dashboard"]["refresh"] = "5m"
    del grafana.boards["gpu"]
    done = inferwatch("diff")

    assert done.returncode == 1
    assert "gpu: not there" in done.stdout.splitlines()
    assert [line for line in done.stdout.splitlines() if line.startswith(("-  ", "+  "))] == [
        '-  "refresh": "5m",',
        '+  "refresh": "30s",',
    ]


def test_check_counts_and_changes_nothing(inferwatch, grafana):
    done = inferwatch("check")

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Grafana 13.2.0 at {grafana.url} can take the boards:\n7 missing, 0 different\n"
    assert grafana.writes == []


def test_prune_deletes_boards_with_our_tag_in_our_folder_and_no_others(inferwatch, there, grafana):
    def board(folder, *tags):
        return {"dashboard": {"tags": list(tags)}, "folderUid": folder, "message": ""}

    there.push(BOARDS)
    kept = {"copy": board("mine", "inferwatch"), "theirs": board("inferwatch", "other")}
    grafana.boards |= kept | {"old": board("inferwatch", "inferwatch", "oncall")}
    dry = inferwatch("prune", "--dry-run")
    still = set(grafana.boards)
    done = inferwatch("prune")

    assert (dry.returncode, dry.stdout) == (0, "would delete: old\n"), dry.stderr
    assert still == {*UIDS, *kept, "old"}
    assert (done.returncode, done.stdout) == (0, "deleted: old\n"), done.stderr
    assert set(grafana.boards) == {*UIDS, *kept}
    assert inferwatch("prune").stdout == "nothing to do\n"


@pytest.mark.parametrize("path", ["", "/", "/grafana", "/grafana/"])
def test_a_grafana_below_a_path_is_reached(grafana, path):
    with Grafana(grafana.url + path, TOKEN) as connected:
        assert connected.version == "13.2.0"


def test_a_drill_is_marked_from_its_beginning_to_its_end(there, grafana):
    there.mark_drill("gpu_overheats", 1000.5, 1060)

    [mark] = grafana.annotations
    assert (mark["time"], mark["timeEnd"]) == (1_000_500, 1_060_000)
    assert (mark["tags"], mark["text"]) == (["inferwatch", "drill"], "drill gpu_overheats")


def test_a_wrong_token_is_told_from_a_wrong_address(inferwatch, token_file):
    token_file.write_text("glsa_wrong")
    done = inferwatch("check")

    assert done.returncode == 1
    assert "does not know this token" in done.stderr
    assert "role Editor" in done.stderr
    assert "glsa_wrong" not in done.stderr


def test_a_token_that_may_only_read_is_named_with_the_role_it_needs(inferwatch, grafana):
    grafana.readonly = True
    done = inferwatch("push")

    assert done.returncode == 1
    assert "this token may not make a folder" in done.stderr
    assert "role Editor" in done.stderr


def test_an_address_where_nothing_listens_is_named(inferwatch, free_port):
    url = f"http://127.0.0.1:{free_port()}"
    done = inferwatch("check", "--url", url)

    assert done.returncode == 1
    assert f"no Grafana answers at {url}" in done.stderr


def test_something_else_that_answers_is_no_grafana(inferwatch, grafana):
    grafana.version = ""
    done = inferwatch("check")

    assert done.returncode == 1
    assert "answers, but is no Grafana" in done.stderr


def test_an_old_grafana_is_refused_by_its_version(inferwatch, grafana):
    grafana.version = "10.4.19"
    done = inferwatch("push")

    assert done.returncode == 1
    assert "Grafana 10.4.19" in done.stderr
    assert "11.0 or newer" in done.stderr
    assert grafana.writes == []


def test_a_grafana_that_fails_is_quoted(inferwatch, grafana):
    grafana.broken = True
    done = inferwatch("check")

    assert done.returncode == 1
    assert "database is locked" in done.stderr


def test_boards_that_come_from_files_are_not_pushed_over(inferwatch, there, grafana):
    there.push(BOARDS)
    grafana.boards["fleet"]["provisioned"] = True
    grafana.boards["fleet"]["dashboard"]["title"] = "Older"
    grafana.writes.clear()
    done = inferwatch("push")

    assert done.returncode == 1
    assert "has the board fleet from a file" in done.stderr
    assert grafana.writes == []


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"GRAFANA_URL": ""}, "which Grafana?"),
        ({"GRAFANA_TOKEN_FILE": ""}, "which Grafana?"),
        ({"GRAFANA_TOKEN_FILE": "/no/such/file"}, "No such file"),
    ],
)
def test_what_is_not_said_is_asked_for(inferwatch, environment, words):
    done = inferwatch("push", **environment)

    assert done.returncode == 2
    assert words in done.stderr


def test_an_address_without_a_scheme_is_refused(inferwatch):
    done = inferwatch("check", "--url", "grafana.example.org")

    assert done.returncode == 1
    assert "is no http(s) URL" in done.stderr
