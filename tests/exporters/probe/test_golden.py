"""What becomes golden, what equals it, and what a restart finds."""

import json
import stat

import pytest

from exporters.probe.config import ConfigError
from exporters.probe.golden import GoldenAnswers, Key

KEY = Key("a", "tiny", "v1")
OTHER_VERSION = Key("a", "tiny", "v2")


def judged(golden, *answers, key=KEY):
    return [golden.judge(key, answer) for answer in answers]


def in_memory():
    return GoldenAnswers(None, "prompt", 4)


@pytest.mark.parametrize(
    ("answers", "verdicts"),
    [
        (["A"], [None]),
        (["A", "A", "A"], [None, True, True]),
        (["A", "B", "B", "A"], [None, None, True, False]),
        (["A", "B", "A", "B"], [None, None, None, None]),
        (["A", "A", "B", "A"], [None, True, False, True]),
    ],
    ids=["one alone", "two alike", "a first one that was wrong", "none twice in a row", "a later one that is wrong"],
)
def test_answer_that_comes_twice_in_a_row_is_golden(answers, verdicts):
    assert judged(in_memory(), *answers) == verdicts


def test_only_the_first_16_characters_count():
    assert judged(in_memory(), "0123456789abcdefX", "0123456789abcdefY", "0123456789abcdeXY") == [None, True, False]


def test_answer_that_ends_early_is_another():
    assert judged(in_memory(), "Paris", "Paris", "Par") == [None, True, False]


def test_new_version_learns_its_own_and_the_old_one_keeps_its_own():
    golden = in_memory()
    assert judged(golden, "A", "A") == [None, True]
    assert judged(golden, "B", "B", key=OTHER_VERSION) == [None, True]
    assert judged(golden, "B", "A") == [False, True]


def test_restart_finds_what_was_learned(tmp_path):
    judged(GoldenAnswers(tmp_path / "state.json", "prompt", 4), "A", "A")
    assert judged(GoldenAnswers(tmp_path / "state.json", "prompt", 4), "A", "B") == [True, False]


@pytest.mark.parametrize(("prompt", "max_tokens"), [("another", 4), ("prompt", 5)])
def test_another_question_learns_anew(tmp_path, prompt, max_tokens):
    judged(GoldenAnswers(tmp_path / "state.json", "prompt", 4), "A", "A")
    assert judged(GoldenAnswers(tmp_path / "state.json", prompt, max_tokens), "B", "B") == [None, True]


def test_state_file_is_json_for_the_owner_alone_and_leaves_nothing_beside_it(tmp_path):
    judged(GoldenAnswers(tmp_path / "state.json", "prompt", 4), "A", "A")
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
    assert json.loads((tmp_path / "state.json").read_text()) == {
        "prompt": "prompt",
        "max_tokens": 4,
        "golden": [{"target": "a", "model": "tiny", "version": "v1", "text": "A"}],
    }
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", b'{"golden": 1}', b'{"golden": [{"target": "a"}]}', b'{"golden": [1]}']
)
def test_file_that_is_not_ours_is_refused_and_left_as_it_is(tmp_path, content):
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"state\.json: not a state file of the probe .* delete it to learn"):
        GoldenAnswers(path, "prompt", 4)
    assert path.read_bytes() == content


def test_place_that_cannot_be_written_is_refused_at_the_start(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be written .* choose another --state-file"):
        GoldenAnswers(tmp_path / "nowhere" / "state.json", "prompt", 4)


def test_place_that_vanishes_later_costs_only_the_memory(tmp_path, caplog):
    folder = tmp_path / "folder"
    folder.mkdir()
    golden = GoldenAnswers(folder / "state.json", "prompt", 4)
    (folder / "state.json").unlink()
    folder.rmdir()
    assert judged(golden, "A", "A", "B") == [None, True, False]
    assert "golden answers not stored" in caplog.text


def test_server_that_calls_every_answer_another_version_does_not_fill_the_memory(tmp_path):
    path = tmp_path / "state.json"
    versions = [Key("a", "tiny", str(number)) for number in range(1002)]
    answers = [{**key._asdict(), "text": "A"} for key in versions[:1000]]
    path.write_text(json.dumps({"prompt": "prompt", "max_tokens": 4, "golden": answers}))
    golden = GoldenAnswers(path, "prompt", 4)
    for key in versions[1000:]:
        judged(golden, "A", "A", key=key)
    kept = json.loads(path.read_text())["golden"]
    assert [kept[0]["version"], kept[-1]["version"], len(kept)] == ["2", "1001", 1000]
