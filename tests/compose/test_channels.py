"""The channels of the native stack: the inbox unless told otherwise, and real ones only when every secret is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from alertmanager.generate import render
from alertmanager.teams import Team
from alerts.links import Links
from alerts.output import write
from compose import channels
from compose.settings import Settings, from_environment

ROOT = Path(__file__).parents[2]
TEAMS = """
teams:
  chat: {email: chat@example.org, slack_url_file: slack_chat, pagerduty_key_file: pagerduty}
"""


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    (tmp_path / "teams.yaml").write_text(TEAMS)
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "slack_chat").write_text("https://hooks.example.org/services/x\n")
    (folder / "pagerduty").write_text("key")
    return folder


@pytest.fixture
def real(tmp_path: Path, secrets: Path) -> dict[str, str]:
    return {
        "INFERWATCH_STATE_DIR": str(tmp_path / "state"),
        "INFERWATCH_CHANNELS": "real",
        "TEAMS_FILE": str(tmp_path / "teams.yaml"),
        "SECRETS_DIR": str(secrets),
        "SMTP_SMARTHOST": "mail.example.org:587",
        "SMTP_FROM": "inferwatch@example.org",
    }


def rendered(settings: Settings) -> None:
    receivers, teams = channels.prepare(settings)
    files = render(settings.timing, Links(), receivers, teams)
    write(files, settings.state.config / "alertmanager")


def started(environment: dict[str, str]) -> Settings:
    settings = from_environment(environment)
    settings.state.create()
    return settings


def test_without_being_told_everything_ends_in_the_inbox(tmp_path: Path, real: dict[str, str]) -> None:
    settings = started(real | {"INFERWATCH_CHANNELS": "inbox"})
    rendered(settings)
    assert channels.only_inbox(settings)
    assert settings.channels == {"INFERWATCH_CHANNELS": "inbox", "TEAMS_FILE": str(tmp_path / "teams.yaml")}
    assert (settings.state.secrets / "slack_url").read_text() == "http://127.0.0.1:8025/slack"
    text = (settings.state.config / "alertmanager" / "alertmanager.yml").read_text()
    assert "pagerduty" not in text
    assert "mail.example.org" not in text


def test_real_channels_are_no_inbox_for_a_later_shell_either(real: dict[str, str]) -> None:
    settings = started(real)
    rendered(settings)
    settings.remember()
    later = from_environment({"INFERWATCH_STATE_DIR": real["INFERWATCH_STATE_DIR"]})
    assert later.real_channels
    assert not channels.only_inbox(later)
    assert channels.receivers(later).smtp_require_tls


def test_a_later_shell_that_knows_another_file_of_teams_alone_keeps_the_rest(
    tmp_path: Path, real: dict[str, str]
) -> None:
    settings = started(real)
    settings.remember()
    others = str(tmp_path / "others.yaml")
    later = from_environment({"INFERWATCH_STATE_DIR": real["INFERWATCH_STATE_DIR"], "TEAMS_FILE": others})
    assert later.channels == settings.channels | {"TEAMS_FILE": others}
    inbox = {"INFERWATCH_STATE_DIR": real["INFERWATCH_STATE_DIR"], "INFERWATCH_CHANNELS": "inbox"}
    assert not from_environment(inbox).real_channels


def test_what_is_rendered_decides_not_what_a_shell_believes(real: dict[str, str]) -> None:
    rendered(started(real))
    assert not channels.only_inbox(from_environment({"INFERWATCH_STATE_DIR": real["INFERWATCH_STATE_DIR"]}))


@pytest.mark.parametrize("secret", ["slack_chat", "pagerduty"])
def test_a_missing_secret_is_found_before_anything_starts(real: dict[str, str], secrets: Path, secret: str) -> None:
    (secrets / secret).unlink()
    with pytest.raises(ValueError, match=rf"chat: \w+: secret {secrets}/{secret}: No such file"):
        channels.prepare(started(real))


@pytest.mark.parametrize("name", ["SECRETS_DIR", "SMTP_SMARTHOST", "SMTP_FROM"])
def test_real_channels_need_their_variables(real: dict[str, str], name: str) -> None:
    del real[name]
    with pytest.raises(ValueError, match=f"INFERWATCH_CHANNELS=real needs {name} too"):
        from_environment(real)


def test_an_unknown_kind_of_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="INFERWATCH_CHANNELS must be one of inbox, real, got 'slack'"):
        from_environment({"INFERWATCH_CHANNELS": "slack"})


def test_the_deadman_pages_the_first_team_by_the_same_channels(real: dict[str, str], secrets: Path) -> None:
    flags = channels.deadman_flags(started(real | {"SMTP_USER": "oncall"}))
    said = dict(zip(flags[::2], flags[1::2], strict=True))
    assert said == {
        "--slack-url-file": f"{secrets}/slack_chat",
        "--smtp-smarthost": "mail.example.org:587",
        "--smtp-from": "inferwatch@example.org",
        "--smtp-to": "chat@example.org",
        "--smtp-require-tls": "true",
        "--smtp-user": "oncall",
        "--smtp-password-file": f"{secrets}/smtp_password",
    }


def test_the_first_team_is_the_default(real: dict[str, str]) -> None:
    assert channels.who(started(real)) == {
        "chat": Team(email="chat@example.org", slack_url_file="slack_chat", pagerduty_key_file="pagerduty")
    }


def command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    whole = {**os.environ, **environment}
    run = [sys.executable, "-m", "compose.cli", *arguments]
    return subprocess.run(run, env=whole, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_notify_test_says_which_channel_took_it(tool, free_port, tmp_path: Path) -> None:
    tool("alertmanager")
    ports = {name: str(free_port()) for name in ("INBOX_HTTP_PORT", "INBOX_SMTP_PORT")}
    environment = ports | {"INFERWATCH_STATE_DIR": str(tmp_path / "state")}
    inbox = [sys.executable, "-m", "alertmanager.inbox", "--http", f"127.0.0.1:{ports['INBOX_HTTP_PORT']}"]
    inbox += ["--smtp", f"127.0.0.1:{ports['INBOX_SMTP_PORT']}"]
    with subprocess.Popen(inbox, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        done = command(environment, "notify", "test")
        process.terminate()
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split()[:3] for line in done.stdout.splitlines()[:2]]
    assert lines == [["page-inference", "slack", "accepted"], ["page-inference", "email", "accepted"]]
    assert "All of these are the inbox" in done.stdout


def test_a_wrong_teams_file_is_a_message_and_down_works_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "teams.yaml").write_text("teams: {}")
    environment = {"INFERWATCH_STATE_DIR": str(tmp_path / "state"), "TEAMS_FILE": str(tmp_path / "teams.yaml")}
    failed = command(environment, "status")
    assert failed.returncode == 2
    assert failed.stderr.startswith(f"inferwatch: {tmp_path}/teams.yaml: teams: ")
    assert command(environment, "down").returncode == 0


def test_the_routes_are_exported_and_merged(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.yml"
    theirs.write_text("route: {receiver: them}\nreceivers: [{name: them}]\n")
    environment = {"INFERWATCH_STATE_DIR": str(tmp_path / "state"), "SMTP_SMARTHOST": "mail.example.org:587"}
    done = command(environment, "export", "alertmanager", "--into", str(theirs), "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made >= {"inferwatch.yml", "merged.yml", "inferwatch-slack.tmpl", "inferwatch-links.tmpl"}
    assert sorted(done.stdout.splitlines()) == sorted(str(tmp_path / "out" / name) for name in made)
    assert "mail.example.org:587" in (tmp_path / "out" / "merged.yml").read_text()


def test_a_file_that_cannot_be_merged_into_is_named(tmp_path: Path) -> None:
    (tmp_path / "theirs.yml").write_text("[]")
    environment = {"INFERWATCH_STATE_DIR": str(tmp_path / "state")}
    done = command(environment, "export", "alertmanager", "--into", str(tmp_path / "theirs.yml"))
    assert done.returncode == 2
    assert done.stderr == f"inferwatch: {tmp_path}/theirs.yml: no Alertmanager configuration: it has no route\n"
