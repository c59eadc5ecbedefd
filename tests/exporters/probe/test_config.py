"""The configuration file: what is accepted, and what the message says where it is not."""

import pytest

from exporters.probe.config import Config, ConfigError, Target, load

ONE = "targets: [{name: a, service: chat, url: 'http://127.0.0.1:8000'}]\n"


def write(folder, text):
    path = folder / "probe.yaml"
    path.write_text(text)
    return path


def test_smallest_file_gets_the_defaults(tmp_path):
    assert load(write(tmp_path, ONE)) == Config(
        (Target("a", "chat", "http://127.0.0.1:8000"),), interval=5, timeout=4, max_tokens=4
    )


@pytest.mark.parametrize("url", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"])
def test_base_url_may_end_in_a_slash_or_v1(tmp_path, url):
    assert load(write(tmp_path, ONE.replace("http://127.0.0.1:8000", url))).targets[0].url == "http://h:1"


def test_api_key_is_read_from_a_file_beside_the_configuration_and_never_shown(tmp_path):
    (tmp_path / "key").write_text("hunter2\n")
    [target] = load(write(tmp_path, ONE.replace("}]", ", api_key_file: key}]"))).targets
    assert target.api_key == "hunter2"
    assert "hunter2" not in repr(target)


def test_golden_answer_can_be_pinned_and_is_never_shown(tmp_path):
    [target] = load(write(tmp_path, ONE.replace("}]", ", golden: ' Paris'}]"))).targets
    assert (target.golden, target.check_answers) == (" Paris", True)
    assert "Paris" not in repr(target)


def test_checking_of_answers_can_be_turned_off(tmp_path):
    [target] = load(write(tmp_path, ONE.replace("}]", ", check_answers: false}]"))).targets
    assert (target.golden, target.check_answers) == (None, False)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "top level: must be a mapping"),
        ("targets: [", "not YAML"),
        ("interval: 5\n", "targets: must be a list"),
        ("targets: []\n", "targets: must be a list"),
        ("targets: [1]\n", "targets[0]: must be a mapping"),
        (ONE + "interval: 0\n", "interval: 0 is not a number above 0"),
        (ONE + "interval: true\n", "interval: True is not a number"),
        (ONE + "interval: .nan\n", "interval: nan is not a number"),
        (ONE + "interval: 3\n", "timeout: 4 s is not below interval (3 s)"),
        (ONE + "max_tokens: 2.5\n", "max_tokens: 2.5 is not a whole number"),
        (ONE + "max_tokens: 1000\n", "max_tokens: 1000 is not a number above 0 and up to 64"),
        (ONE + "intervall: 5\n", "unknown key 'intervall'; known are interval, timeout"),
        (ONE.replace("name: a, ", ""), "targets[0].name: None is not a text"),
        (ONE.replace("name: a", "name: 1"), "targets[0].name: 1 is not a text of 1 to 200 characters; write one"),
        (ONE.replace("name: a", f"name: {'a' * 201}"), "targets[0].name: "),
        (ONE.replace("service: chat, ", ""), "targets[0].service: None"),
        (ONE.replace("http://127", "ftp://127"), "targets[0].url: 'ftp://127.0.0.1:8000' is not a base URL"),
        (ONE.replace("http://127.0.0.1:8000", "http://[::1"), "targets[0].url: 'http://[::1' is not a base URL"),
        (ONE.replace("http://127.0.0.1:8000", "http://h:port"), "targets[0].url: 'http://h:port' is not a base URL"),
        (ONE.replace("http://", "http://me:pw@"), "targets[0].url: must not carry a password"),
        (ONE.replace("}]", ", api_key_file: nowhere}]"), "targets[0].api_key_file: cannot be read"),
        (ONE.replace("}]", ", check_answers: 1}]"), "targets[0].check_answers: 1 is neither true nor false"),
        (ONE.replace("}]", ", golden: 7}]"), "targets[0].golden: is not a text of 1 to 1000 characters; write how"),
        (ONE.replace("}]", ", golden: ' '}]"), "targets[0].golden: is not a text"),
        (ONE.replace("}]", f", golden: {'a' * 1001}}}]"), "targets[0].golden: is not a text"),
        (ONE.replace("}]", ", golden: a, check_answers: false}]"), "targets[0].golden: is never compared where"),
        (ONE.replace("}]", ", token: x}]"), "targets[0]: unknown key 'token'"),
        (
            "targets:\n- {name: a, service: b, url: 'http://h'}\n- {name: a, service: c, url: 'http://h'}\n",
            "targets[1].name: 'a' is taken",
        ),
    ],
)
def test_unusable_file_is_refused_by_file_key_and_remedy(tmp_path, text, says):
    with pytest.raises(ConfigError) as refusal:
        load(write(tmp_path, text))
    assert str(refusal.value).startswith(f"{tmp_path / 'probe.yaml'}: ")
    assert says in str(refusal.value)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "nowhere.yaml")


def test_key_file_with_two_lines_is_refused_without_showing_it(tmp_path):
    (tmp_path / "key").write_text("hunter2\nhunter3\n")
    with pytest.raises(ConfigError, match="must hold one line") as refusal:
        load(write(tmp_path, ONE.replace("}]", ", api_key_file: key}]")))
    assert "hunter" not in str(refusal.value)
