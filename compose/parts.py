"""The parts of the native stack, in the order in which they start. To add one: one function and its line in `parts`."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from alerts.timing import duration
from compose import channels, prometheus
from compose.binaries import offers
from compose.part import ENGINE_KIND, ENGINE_PART, Part
from compose.ports import LOOPBACK
from compose.settings import Settings
from exporters.catalogue.labels import ENGINE, SERVICE
from exporters.gpu.devices.library import library_loads
from exporters.gpu.settings import parse as gpu_exporter_settings
from exporters.gpu.simulator.gpu import uuid_of

ALERTMANAGER_MAINTENANCE = 15
"""Seconds between Alertmanager's writes of what it has sent. Its own default is 15 minutes; killed within them, it
sends every page of that time again."""


def parts(settings: Settings) -> tuple[Part, ...]:
    """Every part; what watches stands after what it watches. Replicas come last, so that they move none of them."""
    return (
        _inference(settings, settings.ports[ENGINE_PART]),
        _gpu_exporter(settings),
        _node_exporter(settings),
        _inbox(settings),
        _deadman(settings),
        _alertmanager(settings),
        _probe(settings),
        _prometheus(settings),
        *replicas(settings),
    )


def replicas(settings: Settings) -> tuple[Part, ...]:
    """The inference services beside the first; Prometheus finds them by a file, as in containers by `verify`."""
    return tuple(
        replace(_inference(settings, port), name=f"{ENGINE_PART}-{number}", scraped=False)
        for number, port in enumerate(settings.replicas, start=2)
    )


def probe_targets(settings: Settings) -> list[dict[str, str]]:
    """What the prober asks: the engines of this stack, as its configuration file names them."""
    return [{"name": "inference", SERVICE: "inference", "url": settings.url("inference")}]


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def _inference(settings: Settings, port: int) -> Part:
    return Part(
        ENGINE_PART,
        _python("inference", "--host", LOOPBACK, "--port", str(port)),
        f"http://{LOOPBACK}:{port}",
        health="/ready",
        environment={"INFERENCE_FAULTS": "1", "MODEL_CACHE": str(settings.model_cache)} | _simulated_gpus(settings),
        labels={ENGINE: ENGINE_KIND},
    )


def _simulated_gpus(settings: Settings) -> dict[str, str]:
    """Says that the service computes on all simulated GPUs, whose load follows its own.

    Of real ones only whoever starts the service knows, in GPU_UUIDS.
    """
    exporter = gpu_exporter_settings(_gpu_exporter_arguments(settings), os.environ)
    if exporter.source == "nvml" or (exporter.source == "auto" and library_loads()):
        return {}
    return {"GPU_UUIDS": ",".join(map(uuid_of, range(exporter.gpus)))}


def _gpu_exporter(settings: Settings) -> Part:
    name = "gpu-exporter"
    return Part(name, _python("exporters.gpu", *_gpu_exporter_arguments(settings)), settings.url(name))


def _gpu_exporter_arguments(settings: Settings) -> tuple[str, ...]:
    return (
        *("--listen-address", settings.address("gpu-exporter")),
        *("--collection-interval", f"{settings.timing.gpu_collection_interval:g}"),
        *("--simulated-load-url", f"{settings.url('inference')}/metrics"),
    )


def _node_exporter(settings: Settings) -> Part:
    name = "node-exporter"
    command = (
        str(settings.bin_dir / "node_exporter"),
        f"--web.listen-address={settings.address(name)}",
        # By default everything below /dev is left out, and with it the shared memory that HostShmFull watches.
        r"--collector.filesystem.mount-points-exclude=^/(proc|sys|run/credentials/.+|var/lib/docker/.+)($|/)",
    )
    return Part(name, command, settings.url(name), health="/metrics")


def _inbox(settings: Settings) -> Part:
    command = _python(
        "alertmanager.inbox",
        *("--http", settings.address("inbox")),
        *("--smtp", settings.address("inbox-smtp")),
        *("--runbooks", str(Path(__file__).parent.parent / "alerts" / "runbooks")),
    )
    return Part("inbox", command, settings.url("inbox"), scraped=False)


def _deadman(settings: Settings) -> Part:
    command = _python(
        "alertmanager.deadman",
        *("--listen-address", settings.address("deadman")),
        *("--timeout", f"{3 * settings.timing.heartbeat_interval:g}"),
        *channels.deadman_flags(settings),
    )
    return Part("deadman", command, settings.url("deadman"))


def _alertmanager(settings: Settings) -> Part:
    name = "alertmanager"
    program = settings.bin_dir / "alertmanager"
    command = [
        str(program),
        f"--config.file={settings.state.config / 'alertmanager' / 'alertmanager.yml'}",
        f"--storage.path={settings.state.data / name}",
        f"--web.listen-address={settings.address(name)}",
        f"--web.external-url={settings.url(name)}",
        "--cluster.listen-address=",
        f"--data.maintenance-interval={ALERTMANAGER_MAINTENANCE}s",
    ]
    if offers(program, "--dispatch.start-delay"):
        # After a restart every inhibiting alert must be back before the first message leaves.
        timing = settings.timing
        command.append(f"--dispatch.start-delay={duration(timing.resend_delay + timing.evaluation_interval)}")
    return Part(name, tuple(command), settings.url(name), health="/-/ready")


def _probe(settings: Settings) -> Part:
    command = _python(
        "exporters.probe",
        *("--config-file", str(settings.state.config / "probe.yml")),
        *("--state-file", str(settings.state.data / "probe.json")),
        *("--listen-address", settings.address("probe")),
    )
    return Part("probe", command, settings.url("probe"))


def _prometheus(settings: Settings) -> Part:
    name = "prometheus"
    config, data = settings.state.config / "prometheus.yml", settings.state.data / name
    program = settings.bin_dir / name
    arguments = prometheus.flags(program, config, data, settings.address(name), settings.timing)
    return Part(name, (str(program), *arguments), settings.url(name), health="/-/ready")
