"""The stack in containers: it comes up, is hardened for real, is drilled, restarted under load, and leaves nothing."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from alerts.drills import DRILLS
from compose import inside
from compose.containers import docker
from tests.pace import clock, lately_told

# Without fixtures: how long images take to pull and build is the machine's, and has no bound here.
pytestmark = pytest.mark.timeout(400, func_only=True)

CLOCK = clock()
TARGETS = Path(inside.__file__).with_name("targets")
OWN = ("inference", "gpu-exporter", "probe", "setup")
"""One service of each image of ours."""


def eventually(check: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true value of a check; its last value where none comes in time."""
    give_up = time.monotonic() + seconds
    while not (value := check()) and time.monotonic() < give_up:
        time.sleep(0.25)
    return value


def quiet(running) -> bool:
    return not running.query(lately_told(running.stack.timing))


def test_one_command_brings_up_every_service(running) -> None:
    wanted = {part.name for part in inside.parts(running.left_out)} | {"setup", "verify"}
    assert {part.name for part in running.stack.status()} == wanted

    def unwell() -> list:
        return [part for part in running.stack.status() if not part.healthy]

    # `up --wait` has seen each of them well; verify, which watches on, may meet a scrape that comes late since.
    assert eventually(lambda: not unwell(), 60), unwell()
    assert "Everything runs as committed" in running.stack.compose("logs", "verify")


def test_no_process_has_a_right_that_was_taken(running) -> None:
    """Read from the kernel, not from what Docker was asked for."""
    seen = 0
    for container in running.inspect():
        if not (pid := container["State"]["Pid"]):
            continue
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0, container["Name"]
        assert status["NoNewPrivs"] == "1", container["Name"]
        assert status["Seccomp"] == "2", container["Name"]
        assert "0" not in status["Uid"].split(), container["Name"]
        seen += 1
    assert seen >= 9


def test_every_container_is_bounded_and_published_on_loopback_alone(running) -> None:
    for container in running.inspect():
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"], container["Name"]
        assert host["Memory"] > 0, container["Name"]
        assert host["PidsLimit"] > 0, container["Name"]
        assert host["NanoCpus"] > 0, container["Name"]
        assert host["LogConfig"]["Config"] == {"max-file": "3", "max-size": "5m"}, container["Name"]
        bound = [one["HostIp"] for each in (host["PortBindings"] or {}).values() for one in each]
        assert set(bound) <= {"127.0.0.1"}, container["Name"]


def test_what_is_not_to_be_written_cannot_be(running) -> None:
    (container,) = running.stack.ids("inference")
    attempt = "open('/app/inference/x', 'w')"
    ran = subprocess.run(["docker", "exec", container, "python", "-c", attempt], capture_output=True, text=True)
    assert ran.returncode == 1
    assert "Read-only file system" in ran.stderr


def reached(host: str, port: int) -> str:
    """A program that says whether it can open a connection."""
    return f"import socket; socket.create_connection(({host!r}, {port}), timeout=3); print('reached')"


def outside() -> tuple[str, int] | None:
    """Something beyond this machine that answers here; None where there is nothing."""
    lines = Path("/etc/resolv.conf").read_text().splitlines()
    names = [
        line.split()[1] for line in lines if line.startswith("nameserver") and not line.split()[1].startswith("127.")
    ]
    for host in [*names, "1.1.1.1"]:
        if subprocess.run([sys.executable, "-c", reached(host, 53)], capture_output=True).returncode == 0:
            return host, 53
    return None


def test_only_who_must_reach_the_world_has_a_way_out(running) -> None:
    """Of Python's services, so that each can be asked the same: between the others, published, and outside."""
    if (somewhere := outside()) is None:
        pytest.skip("nothing beyond this machine answers, so nothing can be seen to be closed off")

    def can(service: str) -> bool:
        (container,) = running.stack.ids(service)
        command = ["docker", "exec", container, "python", "-c", reached(*somewhere)]
        return subprocess.run(command, capture_output=True, text=True).stdout == "reached\n"

    assert {service: can(service) for service in ("verify", "inference", "inbox", "deadman")} == {
        "verify": False,
        "inference": False,
        "inbox": False,
        "deadman": True,
    }


def test_the_images_are_as_small_as_promised(running) -> None:
    services = running.stack.services

    def size(image: str) -> int:
        return int(docker("image", "inspect", "--format", "{{.Size}}", image))

    base = size(services["inference"]["build"]["args"]["PYTHON_IMAGE"])
    sizes = {name: size(services[name]["image"]) for name in OWN}
    print({name: f"{value / 1e6:.0f} MB" for name, value in sizes.items()}, f"base {base / 1e6:.0f} MB")
    assert sizes["inference"] < 1.5e9
    assert sizes["gpu-exporter"] - base <= 30e6
    compilers = "import shutil; print([name for name in ('gcc', 'cc', 'g++', 'make') if shutil.which(name)])"
    for name in OWN:
        command = ("run", "--rm", "--network", "none", "--entrypoint", "python", services[name]["image"])
        assert docker(*command, "-c", compilers).strip() == "[]", name


def test_every_series_carries_the_labels_that_rules_rely_on(running) -> None:
    host = running.query('up{job="gpu-exporter"}')[0]["metric"]["host"]
    (engine,) = running.query('up{job="inference"}')
    assert engine["metric"] | {"host": host} == {
        "__name__": "up",
        "cluster": "default",
        "namespace": "default",
        "service": "inference",
        "engine": "inferwatch",
        "job": "inference",
        "instance": "inference-1:8000",
        "host": host,
    }
    assert {series["metric"]["host"] for series in running.query("up")} == {host}
    assert eventually(lambda: running.query('llm:up{engine="inferwatch"} == 1'))


def test_the_users_own_engines_are_watched_within_5_seconds_of_dropping_a_file(running) -> None:
    file = TARGETS / "containers-test.yml"
    try:
        file.write_text(json.dumps([{"targets": ["gpu-exporter:9836"], "labels": {"job": "mine", "service": "mine"}}]))
        begun = time.monotonic()
        assert eventually(lambda: running.query('up{job="mine"} == 1'), 20)
        # Five seconds until it is known, and its first scrape.
        assert time.monotonic() - begun < 5 + 2 * running.stack.timing.scrape_interval
    finally:
        file.unlink()
    assert eventually(lambda: not running.query('up{job="mine"}'))


def test_verify_says_what_is_wrong_and_when_it_is_mended(running) -> None:
    def unhealthy() -> bool:
        return not next(part for part in running.stack.status() if part.name == "verify").healthy

    running.stack.hold("node-exporter")
    running.stack.kill("node-exporter")
    try:
        assert eventually(unhealthy, 60)
        assert "node-exporter:9100 is down" in running.stack.compose("logs", "verify")
    finally:
        running.stack.release("node-exporter")
    assert eventually(lambda: not unhealthy(), 60)


# Not one that ends the service: how long it takes to start again is the machine's, and counts against the drill.
@pytest.mark.parametrize("name", ["gpu_overheats", "configuration_is_refused"])
def test_a_drill_is_heard_of_once_in_each_of_its_channels_and_resolves(running, name: str) -> None:
    assert eventually(lambda: quiet(running), 120), running.query("ALERTS")
    drill = next(one for one in DRILLS if one.name == name)
    before = {message.id for message in running.messages()}
    done = running.command("drill", name, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("proven\n")
    heard = [message for message in running.messages() if message.id not in before]
    counted = sorted((message.channel, message.status) for message in heard)
    assert counted == sorted((channel, status) for channel in drill.channels for status in ("firing", "resolved"))


def test_a_restart_of_the_service_finishes_what_it_has_begun(running) -> None:
    async def stream(client: httpx.AsyncClient, begun: asyncio.Event) -> bool:
        body = {"model": "inferwatch-tiny", "prompt": "on and on", "max_tokens": 200, "stream": True}
        async with client.stream("POST", "/v1/completions", json=body) as answer:
            lines = []
            async for line in answer.aiter_lines():
                lines.append(line)
                begun.set()
            return "data: [DONE]" in lines

    async def during_a_restart() -> list[bool]:
        async with httpx.AsyncClient(base_url=running.stack.url("inference"), timeout=60) as client:
            events = [asyncio.Event() for _ in range(4)]
            streams = [asyncio.create_task(stream(client, event)) for event in events]
            await asyncio.gather(*(event.wait() for event in events))
            await asyncio.to_thread(running.stack.compose, "restart", "inference")
            return list(await asyncio.gather(*streams))

    assert asyncio.run(during_a_restart()) == [True] * 4
    running.stack.compose("up", "--wait", "--no-deps", "--no-recreate", "inference")


def test_a_backup_brings_silences_and_samples_back(running, tmp_path: Path) -> None:
    url = f"{running.stack.url('alertmanager')}/api/v2/silences"
    matcher = {"name": "alertname", "value": "NoSuchAlert", "isRegex": False, "isEqual": True}
    ends = {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2100-01-01T00:00:00Z"}
    body = {"matchers": [matcher], **ends, "createdBy": "test", "comment": "kept"}
    silence = httpx.post(url, json=body).raise_for_status().json()["silenceID"]
    oldest = float(running.query("min_over_time(timestamp(up{job='prometheus'})[1h:5s])")[0]["value"][1])
    assert running.command("backup", str(tmp_path / "backup.tar.gz")).returncode == 0
    httpx.delete(f"{url[:-1]}/{silence}").raise_for_status()
    done = running.command("restore", str(tmp_path / "backup.tar.gz"))
    assert done.returncode == 0, done.stderr
    active = [one["comment"] for one in httpx.get(url).json() if one["status"]["state"] == "active"]
    assert active == ["kept"]
    found = running.query("min_over_time(timestamp(up{job='prometheus'})[1h:5s])")
    assert float(found[0]["value"][1]) == pytest.approx(oldest, abs=10)


def test_replicas_are_found_and_a_dead_one_is_down_and_not_forgotten(running, monkeypatch, free_port) -> None:
    first = next(port for port in iter(free_port, 0) if port < 31_000)
    monkeypatch.setenv("INFERENCE_PORT", f"{first}-{first + 9}")
    running.stack.compose("up", "--wait", "--no-deps", "--scale", "inference=3", "inference")

    def up() -> dict[str, str]:
        return {one["metric"]["instance"]: one["value"][1] for one in running.query('up{job="inference"}')}

    wanted = {f"inference-{number}:8000": "1" for number in (1, 2, 3)}
    assert eventually(lambda: up() == wanted), up()
    name = f"{running.project}-inference-3"
    docker("kill", name)
    assert eventually(lambda: up() == wanted | {"inference-3:8000": "0"}), up()
    time.sleep(10)
    assert up() == wanted | {"inference-3:8000": "0"}


def test_down_keeps_what_was_stored_and_only_down_v_takes_it(running) -> None:
    running.stack.compose("down", "--timeout", "10")
    left = running.left()
    assert left["container"] == left["network"] == []
    assert len(left["volume"]) >= 10
    running.stack.compose("down", "--volumes")
    assert running.left() == {"container": [], "volume": [], "network": []}
