"""setup renders what the containers read, from what the user changes, and refuses what would fail later."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from alerts.timing import load
from compose import inside, setup

PROVIDER = "compose/grafana/provisioning/dashboards/inferwatch.yaml"
REAL = {
    "INFERWATCH_CHANNELS": "real",
    "SMTP_SMARTHOST": "mail.example.org:587",
    "SMTP_FROM": "inferwatch@example.org",
}


def at(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


@pytest.fixture
def secret(tmp_path: Path) -> Callable[[str, str], None]:
    """Drop a file into compose/secrets."""

    def put(name: str, text: str) -> None:
        folder = at(tmp_path, inside.SECRETS)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    return put


def scraped(root: Path) -> dict[str, dict]:
    document = yaml.safe_load(at(root, inside.PROMETHEUS / "prometheus.yml").read_text())
    return {job["job_name"]: job for job in document["scrape_configs"]}


def test_what_prometheus_and_alertmanager_read_is_what_they_accept(tmp_path: Path, tool) -> None:
    setup.render({}, tmp_path)
    for command in (
        (tool("promtool"), "check", "config", "--syntax-only", at(tmp_path, inside.PROMETHEUS / "prometheus.yml")),
        (tool("promtool"), "check", "rules", *at(tmp_path, inside.PROMETHEUS / "rules").iterdir()),
        (tool("amtool"), "check-config", at(tmp_path, inside.ALERTMANAGER / "alertmanager.yml")),
    ):
        # What a newer Prometheus needs to be told, the oldest does not know.
        if command[1:3] == ("check", "config"):
            text = command[4].read_text().replace("  fallback_scrape_protocol: PrometheusText0.0.4\n", "")
            command[4].write_text(text)
        ran = subprocess.run(command, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_part_is_watched_once_and_replicas_are_asked_for(tmp_path: Path) -> None:
    setup.render({}, tmp_path)
    jobs = scraped(tmp_path)
    addresses = {name: job["static_configs"][0]["targets"] for name, job in jobs.items() if "static_configs" in job}
    assert addresses == {
        "gpu-exporter": ["gpu-exporter:9836"],
        "probe": ["probe:9837"],
        "deadman": ["deadman:9838"],
        "prometheus": ["prometheus:9090"],
        "alertmanager": ["alertmanager:9093"],
        "node-exporter": ["node-exporter:9100"],
        "grafana": ["grafana:3000"],
        "tempo": ["tempo:3200"],
        "loki": ["loki:3100"],
        "otel-collector": ["otel-collector:8888"],
    }
    assert jobs["discovered"]["http_sd_configs"][0]["url"] == "http://verify:9839/targets"
    assert jobs["targets"]["file_sd_configs"][0] == {
        "files": ["/etc/prometheus/targets/*.yml"],
        "refresh_interval": "5s",
    }
    assert all(job["sample_limit"] and job["body_size_limit"] for job in jobs.values())


def test_what_is_left_out_is_not_watched(tmp_path: Path) -> None:
    setup.render({"INFERWATCH_WITHOUT": "grafana,loki"}, tmp_path)
    assert {"grafana", "loki"} & set(scraped(tmp_path)) == set()
    assert "tempo" in scraped(tmp_path)


def test_what_pages_cannot_be_left_out(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="INFERWATCH_WITHOUT: alertmanager cannot be left out; grafana"):
        setup.render({"INFERWATCH_WITHOUT": "grafana,alertmanager"}, tmp_path)


def test_without_being_told_no_message_can_leave(tmp_path: Path, secret: Callable[[str, str], None]) -> None:
    secret("slack_url", "https://hooks.example.org/services/x")
    setup.render({"SMTP_SMARTHOST": "mail.example.org:587"}, tmp_path)
    assert at(tmp_path, inside.ALERTMANAGER / "slack_url").read_text() == "http://inbox:8025/slack\n"
    text = at(tmp_path, inside.ALERTMANAGER / "alertmanager.yml").read_text()
    assert "example.org:587" not in text
    assert "/etc/alertmanager/secrets" not in text
    flags = at(tmp_path, inside.DEADMAN / "flags").read_text().splitlines()
    assert flags[:4] == ["--timeout", "45", "--slack-url-file", "/etc/deadman/slack_url"]
    assert "inbox:1025" in flags


def test_real_channels_need_every_secret_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="slack_url: No such file"):
        setup.render(REAL, tmp_path)
    assert not at(tmp_path, inside.ALERTMANAGER / "alertmanager.yml").exists()


def test_real_channels_are_read_from_the_secret_files(tmp_path: Path, secret: Callable[[str, str], None]) -> None:
    secret("slack_url", "https://hooks.example.org/services/x\n")
    secret("heartbeat_url", "https://watch.example.org/ping\n")
    setup.render(REAL, tmp_path)
    document = yaml.safe_load(at(tmp_path, inside.ALERTMANAGER / "alertmanager.yml").read_text())
    assert document["global"]["smtp_smarthost"] == "mail.example.org:587"
    assert document["global"]["smtp_require_tls"] is True
    files = {slack["api_url_file"] for one in document["receivers"] for slack in one.get("slack_configs", ())}
    assert files == {"/etc/alertmanager/secrets/slack_url"}
    assert "https://watch.example.org/ping" in str(document["receivers"])
    flags = at(tmp_path, inside.DEADMAN / "flags").read_text().splitlines()
    assert flags[flags.index("--slack-url-file") + 1] == "/etc/alertmanager/secrets/slack_url"


def test_real_channels_without_a_mail_server_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="INFERWATCH_CHANNELS=real needs SMTP_SMARTHOST, SMTP_FROM too"):
        setup.render({"INFERWATCH_CHANNELS": "real"}, tmp_path)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("INFERWATCH_CLOCK", "fast", "INFERWATCH_CLOCK must be one of real, compressed, relaxed, got 'fast'"),
        ("INFERWATCH_CHANNELS", "both", "INFERWATCH_CHANNELS must be one of inbox, real, got 'both'"),
        ("PROMETHEUS_RESEND_DELAY", "1m", "PROMETHEUS_RESEND_DELAY is 1m, but the real clock needs 15s"),
        ("REMOTE_WRITE_URL", "store.example.org", r"REMOTE_WRITE_URL: expected an http\(s\) URL"),
        ("RUNBOOK_URL", "wiki", "not an http"),
    ],
)
def test_a_variable_that_cannot_be_is_refused_by_name(tmp_path: Path, variable: str, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        setup.render({variable: value}, tmp_path)


def test_a_wrong_environment_ends_with_status_2_and_one_line(monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.setenv("INFERWATCH_CLOCK", "fast")
    assert setup.main(["--root", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "setup: INFERWATCH_CLOCK must be one of real, compressed, relaxed, got 'fast'\n"


def test_grafanas_password_is_made_once_and_is_no_word(tmp_path: Path) -> None:
    passwords = []
    for _ in range(2):
        setup.render({}, tmp_path)
        passwords.append(at(tmp_path, inside.GRAFANA / "admin_password").read_text())
    assert passwords[0] == passwords[1]
    assert len(passwords[0]) >= 32
    setup.render({}, tmp_path / "other")
    assert at(tmp_path / "other", inside.GRAFANA / "admin_password").read_text() != passwords[0]


def test_grafanas_password_is_the_users_where_there_is_one(tmp_path: Path, secret: Callable[[str, str], None]) -> None:
    setup.render({}, tmp_path)
    secret("grafana_admin_password", "correct horse\n")
    setup.render({}, tmp_path)
    assert at(tmp_path, inside.GRAFANA / "admin_password").read_text() == "correct horse"


def test_every_board_lies_where_grafana_looks(tmp_path: Path) -> None:
    setup.render({}, tmp_path)
    committed = Path(setup.__file__).parents[1] / "dashboards" / "generated"
    provider = yaml.safe_load((committed.parents[1] / PROVIDER).read_text())["providers"][0]
    assert provider["options"]["path"] == str(inside.BOARDS)
    boards = at(tmp_path, inside.BOARDS)
    assert {path.name for path in boards.iterdir()} == {path.name for path in committed.glob("*.json")}


def test_a_copy_of_every_sample_goes_nowhere_until_told(tmp_path: Path, secret: Callable[[str, str], None]) -> None:
    def remote_write() -> list[dict]:
        return yaml.safe_load(at(tmp_path, inside.PROMETHEUS / "prometheus.yml").read_text()).get("remote_write", [])

    setup.render({}, tmp_path)
    assert remote_write() == []
    secret("remote_write_token", "t0ken\n")
    setup.render({"REMOTE_WRITE_URL": "https://store.example.org/write"}, tmp_path)
    (store,) = remote_write()
    assert store["url"] == "https://store.example.org/write"
    copy = store["authorization"]["credentials_file"]
    assert at(tmp_path, Path(copy)).read_text() == "t0ken"
    assert "t0ken" not in at(tmp_path, inside.PROMETHEUS / "prometheus.yml").read_text()


def test_the_compressed_clock_is_taken_with_its_variables(tmp_path: Path) -> None:
    setup.render({"INFERWATCH_CLOCK": "compressed", **inside.clock_variables(load().compressed())}, tmp_path)
    assert yaml.safe_load(at(tmp_path, inside.PROBE / "probe.yml").read_text())["interval"] == 2
