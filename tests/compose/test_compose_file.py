"""compose.yaml keeps what it promises: names and ports, hardening, settings that are told of, no second truth."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.timing import load
from compose import inside, ports, prometheus
from compose.parts import ALERTMANAGER_MAINTENANCE
from inference.settings import Settings

FOLDER = Path(__file__).parents[2] / "compose"
FILES = ("compose.yaml", "compose.gpu.yaml")
VARIABLE = re.compile(r"\$\{(\w+)(?::?-((?:[^${}]|\$\{[^{}]*\})*))?\}")


def filled(value: Any, variables: dict[str, str]) -> Any:
    """A document with variables filled in, by the rules of Compose; those without a value take their default."""
    if isinstance(value, dict):
        return {key: filled(one, variables) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, variables) for one in value]
    if not isinstance(value, str):
        return value
    while found := VARIABLE.search(value):
        value = value.replace(found[0], variables.get(found[1], found[2] or ""))
    return value.replace("$$", "$")


def document(name: str = "compose.yaml", **variables: str) -> dict[str, Any]:
    return filled(yaml.safe_load((FOLDER / name).read_text()), variables)


PROJECT = document()
SERVICES: dict[str, dict[str, Any]] = PROJECT["services"]
OTHERS_ROOT = {"dcgm-exporter", "vllm"}
"""Images of others that run as root; both only by a profile, on a machine with GPUs."""


def each(without: set[str] = frozenset()) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", sorted(SERVICES.keys() - without))


def test_the_services_are_those_of_the_native_stack_and_what_runs_in_containers_only() -> None:
    native = {port.part for port in ports.PORTS} - {"inbox-smtp"}
    only_here = {"grafana", "otel-collector", "tempo", "loki", "setup", "verify", "load", "dcgm-exporter", "vllm"}
    assert set(SERVICES) == native | only_here


def test_what_the_others_reach_is_a_service() -> None:
    assert {part.name for part in inside.parts()} | {one.service for one in inside.DISCOVERED} <= set(SERVICES)


def test_every_port_is_published_on_loopback_alone_by_its_variable_and_default() -> None:
    lines = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    published = sorted(line for service in lines.values() for line in service.get("ports", ()))
    documented = [(port.variable, port.default) for port in (*ports.PORTS, *ports.CONTAINER_PORTS)]
    wanted = [f"127.0.0.1:${{{variable}:-{number}}}:{number}" for variable, number in documented]
    assert published == sorted([*wanted, "127.0.0.1:${VLLM_PORT:-8001}:8000"])


@each()
def test_a_service_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["SYS_ADMIN"] if name == "dcgm-exporter" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert not {"privileged", "pid", "ipc", "devices", "userns_mode", "container_name"} & set(service)
    assert service.get("network_mode", "none") == "none"


@each(OTHERS_ROOT)
def test_a_service_runs_as_a_user_that_is_not_root(name: str) -> None:
    user = SERVICES[name]["user"].partition(":")[0]
    assert user.isdecimal()
    assert int(user) > 0


@each()
def test_a_service_is_bounded_in_memory_processors_processes_and_logs(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert 0 < service["pids_limit"] <= 4096
    assert name == "vllm" or 0 < float(service["cpus"]) <= 2, "a machine with fewer CPUs refuses more than it has"
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "5m", "max-file": "3"}}


@each({"setup"})
def test_a_service_comes_back_and_may_end_in_peace(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= 10


@each()
def test_a_service_says_whether_it_is_well_by_a_program_of_its_image(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    # One that ends, one that nobody waits for, and images that hold no program to ask with.
    if name in {"setup", "load", "otel-collector", "dcgm-exporter"}:
        assert check == {"disable": True}
        return
    programs = {
        "prometheus": "promtool",
        "alertmanager": "wget",
        "node-exporter": "wget",
        "grafana": "wget",
        "tempo": "/tempo",
        "loki": "/usr/bin/loki",
        "vllm": "python3",
    }
    assert check["test"][:2] == ["CMD", programs.get(name, "python")]
    assert "start_interval" not in check, "Docker Engine 20.10 does not know it"
    inner = [int(port.rpartition(":")[2]) for port in SERVICES[name].get("ports", ())]
    url = re.search(r"http://127\.0\.0\.1:(\d+)", str(check["test"]))
    assert url is None or not inner or int(url[1]) in inner


@each()
def test_an_image_is_one_version_not_whatever_is_newest(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].partition(":")
    assert ("build" in SERVICES[name] and tag == "local") or re.search(r"\d+\.\d+\.\d+", tag), image


def test_what_is_mounted_from_the_machine_is_read_only_and_named() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", ())]
    binds = [mount for mount in mounts if isinstance(mount, dict)]
    assert all(mount["read_only"] is True for mount in binds)
    assert {mount["source"] for mount in binds if mount["source"].startswith("/")} == {"/"}, "node-exporter's alone"
    assert all((FOLDER / mount["source"]).exists() for mount in binds)


def test_only_one_service_writes_a_volume_that_others_read() -> None:
    writers: dict[str, list[str]] = {}
    for name, service in SERVICES.items():
        for volume in (mount for mount in service.get("volumes", ()) if isinstance(mount, str)):
            if not volume.endswith(":ro"):
                writers.setdefault(volume.partition(":")[0], []).append(name)
    assert set(writers) == set(PROJECT["volumes"])
    # Setup writes nothing there; it only makes the folder its user's.
    assert {volume: names for volume, names in writers.items() if len(names) > 1} == {
        "collector-data": ["setup", "otel-collector"]
    }


def test_only_what_must_reach_the_world_can() -> None:
    reach = {name for name, service in SERVICES.items() if "outside" in service.get("networks", ())}
    assert reach == {"prometheus", "alertmanager", "deadman"}
    assert PROJECT["networks"]["inside"] == {"internal": True}
    masquerade = "com.docker.network.bridge.enable_ip_masquerade"
    assert PROJECT["networks"]["published"] == {"driver_opts": {masquerade: "false"}}


def test_no_password_stands_in_a_variable() -> None:
    names = {key for service in SERVICES.values() for key in service.get("environment", {})}
    secret = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY|KEYS")
    assert {name for name in names if secret.search(name)} == {
        "GF_SECURITY_ADMIN_PASSWORD__FILE",
        "API_KEYS_FILE",
        "GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED",
    }


def test_grafana_asks_who_one_is_and_calls_nobody() -> None:
    settings = SERVICES["grafana"]["environment"]
    off = {name: settings[name] for name in settings if "ANALYTICS" in name or "NEWS" in name or "ANONYMOUS" in name}
    assert off
    assert set(off.values()) == {"false"}
    assert settings["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"


def test_a_running_answer_and_its_traces_end_before_the_service_is_killed() -> None:
    fields = Settings.model_fields
    needed = fields["shutdown_seconds"].default + fields["telemetry_flush_seconds"].default
    assert int(SERVICES["inference"]["stop_grace_period"].removesuffix("s")) > needed


def test_prometheus_and_alertmanager_run_by_the_flags_of_the_native_stack(tmp_path: Path) -> None:
    program = tmp_path / "prometheus"
    native = prometheus.flags(program, Path("x"), Path("x"), "x", load())
    here = SERVICES["prometheus"]["command"]
    differ = ("--config.file=", "--storage.tsdb.path=", "--web.listen-address=", "--web.external-url=")
    assert [flag for flag in native if not flag.startswith(differ)] == [flag for flag in here if flag in native]
    assert f"--data.maintenance-interval={ALERTMANAGER_MAINTENANCE}s" in SERVICES["alertmanager"]["command"]


def test_what_carries_the_clock_says_what_the_clock_says() -> None:
    wanted = inside.clock_variables(load())
    assert {name: SERVICES["setup"]["environment"][name] for name in wanted} == wanted
    assert f"--rules.alert.resend-delay={wanted['PROMETHEUS_RESEND_DELAY']}" in SERVICES["prometheus"]["command"]
    assert f"--dispatch.start-delay={wanted['ALERTMANAGER_START_DELAY']}" in SERVICES["alertmanager"]["command"]


def used(text: str) -> Iterator[tuple[str, str]]:
    """Variables of a file, each with its default; those inside a default too."""
    for name, default in VARIABLE.findall(text):
        yield name, filled(default, {})
        yield from used(default)


def test_every_variable_is_told_of_with_its_default_and_no_other_is() -> None:
    defaults: dict[str, set[str]] = {}
    for file in FILES:
        for name, default in used((FOLDER / file).read_text()):
            defaults.setdefault(name, set()).add(default)
    assert {name for name, values in defaults.items() if len(values) > 1} == set()
    told = re.findall(r"^# ([A-Z][A-Z0-9_]+)=(.*)$", (FOLDER / ".env.example").read_text(), re.MULTILINE)
    assert dict(told) == {name: value for name, (value,) in defaults.items()}


def test_the_example_of_variables_sets_nothing_by_itself() -> None:
    assert [line for line in (FOLDER / ".env.example").read_text().splitlines() if line and line[0] != "#"] == []


def test_without_a_variable_messages_link_to_the_published_ports() -> None:
    moved = document(INBOX_HTTP_PORT="18025", GRAFANA_PORT="13000")["services"]["setup"]["environment"]
    assert moved["RUNBOOK_URL"] == "http://127.0.0.1:18025/runbooks"
    assert moved["GRAFANA_URL"] == "http://127.0.0.1:13000"


def test_real_gpus_take_no_more_than_their_device_and_the_kernel_log() -> None:
    services = document("compose.gpu.yaml")["services"]
    assert set(services) == {"inference", "gpu-exporter"}
    assert services["gpu-exporter"]["cap_add"] == ["SYSLOG"]
    assert services["gpu-exporter"]["devices"] == ["/dev/kmsg:/dev/kmsg:r"]
    assert "privileged" not in str(services)
