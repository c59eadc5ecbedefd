"""The parts as they reach each other in containers: by service name, each on its default port. No process, no Docker.

What a container may do and mount is said in compose.yaml; a test holds the two together.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from alertmanager.receivers import Receivers
from alerts.timing import Timing, duration
from compose.part import ENGINE_KIND, Part
from compose.ports import CONTAINER_PORTS, PORTS
from exporters.catalogue.labels import ENGINE, JOB, SERVICE

VERIFY_PORT = 9839
"""Of the service `verify`; not published."""

# Where setup writes, and the readers mount the same volume.
PROMETHEUS = Path("/etc/prometheus/generated")
ALERTMANAGER = Path("/etc/alertmanager/generated")
PROBE = Path("/etc/probe")
DEADMAN = Path("/etc/deadman")
GRAFANA = Path("/etc/grafana/generated")
BOARDS = Path("/var/lib/inferwatch/dashboards")

TARGETS = Path("/etc/prometheus/targets")
"""compose/targets."""
SECRETS = Path("/etc/alertmanager/secrets")
"""compose/secrets."""

_DEFAULTS = {port.part: port.default for port in (*PORTS, *CONTAINER_PORTS)}
_HEALTH = {
    "inference": "/ready",
    "node-exporter": "/metrics",
    "alertmanager": "/-/ready",
    "prometheus": "/-/ready",
    "grafana": "/api/health",
    "tempo": "/ready",
    "loki": "/ready",
}
_COLLECTOR_HEALTH, _COLLECTOR_METRICS = 13133, 8888
_UNSCRAPED = frozenset({"inference", "inbox"})
"""The inference service is discovered, since there may be several; the inbox stands for what is not ours."""


@dataclass(frozen=True, slots=True)
class Discovered:
    """A service that may have any number of replicas, none included."""

    service: str
    """Its name in compose.yaml."""
    port: int
    labels: dict[str, str]


DISCOVERED = (
    Discovered("inference", 8000, {JOB: "inference", SERVICE: "inference", ENGINE: ENGINE_KIND}),
    # In place of the reference service: the same service, so that boards, objectives and alerts stay.
    Discovered("vllm", 8000, {JOB: "vllm", SERVICE: "inference", ENGINE: "vllm"}),
    Discovered("dcgm-exporter", 9400, {JOB: "dcgm-exporter", SERVICE: "gpu-exporter"}),
)


def parts(without: Collection[str] = ()) -> tuple[Part, ...]:
    """Every part with a URL that the others reach it by, but for those that the user left out."""
    names = (*(port.part for port in PORTS if port.part != "inbox-smtp"), "grafana", "tempo", "loki")
    found = [_part(name) for name in names]
    collector = f"http://otel-collector:{_COLLECTOR_HEALTH}"
    found.append(Part("otel-collector", (), collector, "/", metrics_port=_COLLECTOR_METRICS))
    return tuple(part for part in found if part.name not in without)


def receivers() -> Receivers:
    """Where the channels are while nothing is sent to people."""
    return Receivers(secrets=str(ALERTMANAGER), templates=(str(ALERTMANAGER / "*.tmpl"),))


def probe_targets() -> list[dict[str, str]]:
    """What the prober asks: whichever replica the name leads to."""
    return [{"name": "inference", SERVICE: "inference", "url": _url("inference")}]


def clock_variables(timing: Timing) -> dict[str, str]:
    """What compose.yaml must be told of the clock, by variable: flags that no rendered file can carry."""
    return {
        "GPU_EXPORTER_COLLECTION_INTERVAL": f"{timing.gpu_collection_interval:g}",
        "PROMETHEUS_RESEND_DELAY": duration(timing.resend_delay),
        "ALERTMANAGER_START_DELAY": duration(timing.resend_delay + timing.evaluation_interval),
    }


def _part(name: str) -> Part:
    return Part(name, (), _url(name), _HEALTH.get(name, "/healthz"), scraped=name not in _UNSCRAPED)


def _url(name: str) -> str:
    return f"http://{name}:{_DEFAULTS[name]}"
