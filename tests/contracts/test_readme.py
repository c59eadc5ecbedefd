"""README.md keeps what it promises: its generated parts are current, its links and commands exist."""

import re
from pathlib import Path

from compose.cli import main
from compose.readme import render
from inference.engine.tiny import NAME

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()


def test_the_alerts_and_the_tree_are_what_the_generator_writes():
    assert render(TEXT) == TEXT


def test_every_relative_link_leads_to_a_file():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", TEXT) if not link.startswith("http")]

    assert len(links) > 6
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_make_command_that_it_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", TEXT, re.MULTILINE))

    assert {"up", "test", "down"} <= named
    assert named <= targets


def test_the_drill_that_it_shows_exists(capsys):
    assert main(["drill", "--list"]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()}

    assert set(re.findall(r"NAME=([a-z_]+)", TEXT)) <= listed


def test_the_completion_that_it_shows_names_the_model_that_is_served():
    assert re.findall(r'"model": "([^"]+)"', TEXT) == [NAME]
