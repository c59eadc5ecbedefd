"""prometheus.yml: what is scraped, with which labels, and where alerts go. Valid on Prometheus 2.42 and 3.x."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from alerts.timing import Timing, duration
from compose.binaries import offers
from compose.part import Part
from exporters.catalogue.labels import CLUSTER, HOST, INSTANCE, JOB, NAMESPACE, SERVICE

USER_JOB = "targets"
"""Job of the user's own engines and exporters, where their file names no other."""
DISCOVERED_JOB = "discovered"
"""Job of what `discovery` finds; each target names its own."""

DRILL_RULES = "drill.yml"
"""File that a drill adds to those of `rules`."""

# As long as an error budget's default period (alerts/objectives.yaml), and a little.
RETENTION_TIME, RETENTION_SIZE = "32d", "2GB"

# A target that answers more than this is broken or hostile; its scrape fails and TargetDown says so.
_LIMITS = {
    "sample_limit": 50_000,
    "label_limit": 64,
    "label_name_length_limit": 128,
    "label_value_length_limit": 2048,  # vLLM puts its whole cache configuration into one value
    "body_size_limit": "32MB",
}


@dataclass(frozen=True, slots=True)
class Site:
    """What this Prometheus finds around it."""

    targets: Path
    """Folder whose *.yml files name the user's own targets; may be absent."""
    version: tuple[int, int]
    """Prometheus' major and minor version; 3.x needs one setting that 2.x refuses."""
    host: str
    """This machine's name: the `host` label of everything on loopback."""
    discovery: str | Path = ""
    """URL or file that lists further targets of ours; empty where there are none."""
    remote_write: Mapping[str, Any] | None = None
    """A copy of every sample goes there; None for nowhere."""


def render(parts: tuple[Part, ...], timing: Timing, site: Site) -> str:
    """The configuration as YAML.

    Args:
        parts: Those that are scraped become one job each.
        timing: The clock that the rules were generated for.
        site: What is around.
    """
    alertmanager = next(part for part in parts if part.name == "alertmanager")
    jobs = [_own_job(part, site.host) for part in parts if part.scraped] + [_user_job(site.targets)]
    if site.discovery:
        jobs.append(_discovered_job(site.discovery))
    common: dict[str, Any] = {**_LIMITS, "relabel_configs": _target_labels(site.host)}
    if site.version >= (3, 0):
        # Prometheus 2 took an engine's page without a proper Content-Type as text; 3 needs to be told.
        common["fallback_scrape_protocol"] = "PrometheusText0.0.4"
    document: dict[str, Any] = {
        "global": {
            "scrape_interval": duration(timing.scrape_interval),
            "scrape_timeout": duration(timing.scrape_timeout),
            "evaluation_interval": duration(timing.evaluation_interval),
        },
        "rule_files": ["rules/*.yml"],
        "alerting": {"alertmanagers": [{"api_version": "v2", "static_configs": [{"targets": [alertmanager.address]}]}]},
        "scrape_configs": [job | common for job in jobs],
    }
    if site.remote_write:
        document["remote_write"] = [dict(site.remote_write)]
    return "# Rendered at every start; edits are lost.\n" + yaml.dump(document, Dumper=_Dumper, sort_keys=False)


def listed(replicas: Iterable[Part], job: str, host: str) -> str:
    """A file of targets, as Prometheus' file discovery reads it, that belong to a job of ours."""
    labels = {JOB: job, HOST: host}
    return json.dumps([{"targets": [part.target], "labels": {**labels, **part.labels}} for part in replicas]) + "\n"


def flags(program: Path, config: Path, data: Path, address: str, timing: Timing) -> tuple[str, ...]:
    """Command-line flags of this Prometheus, 2.42 or 3.x."""
    return (
        *_pages(program),
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        f"--storage.tsdb.retention.time={RETENTION_TIME}",
        f"--storage.tsdb.retention.size={RETENTION_SIZE}",
        f"--web.listen-address={address}",
        f"--web.external-url=http://{address}",
        "--enable-feature=exemplar-storage",
        # Without it a restart sends every pending alert back to the start of its `for`.
        "--rules.alert.for-grace-period=0s",
        f"--rules.alert.resend-delay={duration(timing.resend_delay)}",
    )


def _pages(program: Path) -> tuple[str, ...]:
    """Debian's build reads its web pages from files, which lie beside the program wherever it was unpacked."""
    assets = program.resolve().parent.parent / "share" / "prometheus" / "web"
    return (f"--web.local-assets={assets}/",) if assets.is_dir() and offers(program, "--web.local-assets") else ()


class _Dumper(yaml.SafeDumper):
    """YAML without anchors: every job stands for itself."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _own_job(part: Part, host: str) -> dict[str, Any]:
    labels: Mapping[str, str] = {HOST: host, **part.labels}
    return {"job_name": part.name, "static_configs": [{"targets": [part.target], "labels": dict(labels)}]}


def _user_job(targets: Path) -> dict[str, Any]:
    return {
        "job_name": USER_JOB,
        "file_sd_configs": [{"files": [str(targets / "*.yml")], "refresh_interval": "5s"}],
    }


def _discovered_job(source: str | Path) -> dict[str, Any]:
    if isinstance(source, Path):
        return {"job_name": DISCOVERED_JOB, "file_sd_configs": [{"files": [str(source)], "refresh_interval": "5s"}]}
    return {"job_name": DISCOVERED_JOB, "http_sd_configs": [{"url": source, "refresh_interval": "5s"}]}


def _target_labels(host: str) -> list[dict[str, Any]]:
    """Fill the labels that every rule relies on, where a target does not set them itself."""
    loopback = r"(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])"
    return [
        _default(CLUSTER, (), "", "default"),
        _default(NAMESPACE, (), "", "default"),
        _default(SERVICE, (JOB,), "(.+)", "$1"),
        # A name that the target gives itself tells more than its address.
        _default(HOST, (INSTANCE,), r"(.+?)(?::\d+)?", "$1"),
        _default(HOST, ("__address__",), loopback + r"(?::\d+)?", host),
        _default(HOST, ("__address__",), r"(.+?)(?::\d+)?", "$1"),
    ]


def _default(label: str, sources: tuple[str, ...], pattern: str, value: str) -> dict[str, Any]:
    """Relabelling that acts only while the label is empty."""
    joined = ";" + pattern if sources else "^$"
    return {"source_labels": [label, *sources], "regex": joined, "target_label": label, "replacement": value}
