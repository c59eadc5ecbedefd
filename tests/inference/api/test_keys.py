"""The file of API keys: what may stand in it."""

import pytest

from inference.api.keys import InvalidKeysError, KeyFile


@pytest.fixture
def file(tmp_path):
    return tmp_path / "keys"


def test_a_key_belongs_to_its_name(file):
    file.write_text("# comment\n\none:0123456789abcdef\ntwo:fedcba9876543210\n")
    keys = KeyFile(file)
    assert keys.name_of("fedcba9876543210") == "two"
    assert keys.name_of("fedcba987654321") is None
    assert keys.name_of("") is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "holds no key"),
        ("one:short", "line 1: not name:key"),
        ("0123456789abcdef", "line 1: not name:key"),
        ("bad name:0123456789abcdef", "line 1: not name:key"),
        ("one:0123456789abcdef\none:fedcba9876543210", "line 2: the name one stands there twice"),
    ],
    ids=["empty", "short", "no name", "space in name", "twice"],
)
def test_a_file_that_says_something_else_is_refused_without_repeating_it(file, text, problem):
    file.write_text(text)
    with pytest.raises(InvalidKeysError, match=problem) as caught:
        KeyFile(file)
    assert "0123456789" not in str(caught.value)


def test_a_file_that_is_missing_is_refused(file):
    with pytest.raises(InvalidKeysError, match="cannot be read: No such file or directory"):
        KeyFile(file)
