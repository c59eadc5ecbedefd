"""A synthetic fleet for a real Prometheus: engines and GPUs as boards see them, as our exporters and vLLM tell them.

Written as OpenMetrics and turned into blocks by promtool, so that half an hour of history takes seconds.
"""

import itertools
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from alerts.signals import SIGNALS
from exporters.catalogue import gpu, gpu_health, gpu_use, llm

END = 1_795_000_000
"""When the data ends, in seconds since the epoch: in the past, so that nothing is live."""
GPUS_A_HOST = 8
SERVICES = 10
Labels = Mapping[str, str]

_LE = {"time_to_first_token": llm.TIME_TO_FIRST_TOKEN, "time_per_output_token": llm.TIME_PER_OUTPUT_TOKEN}
_EXTRA = {
    "reason": ("hw_thermal", "sw_thermal", "hw_power_brake", "sw_power_cap"),
    "error_type": ("internal_error", "client_disconnect"),
    "slo": ("availability", "time_to_first_token", "time_per_output_token"),
    "program": ("vllm",),
    "link": tuple(map(str, range(18))),
    "kind": ("crc", "replay", "recovery"),
    "domain": ("sm", "memory"),
    "xid": (),
    "root": (),
}
"""Values of labels that are neither places nor models; a healthy fleet has no XIDs and no broken engines."""
_FLAT = {
    "llm:up": 1,
    "gpu:up": 1,
    "llm:model_loaded": 1,
    "llm:probe_success": 1,
    "gpu:ecc_uncorrected:increase": 0,
    "gpu:recovery_action": 0,
    "gpu:row_remap_failed": 0,
    "gpu:retirement_pending": 0,
    "gpu:sram_threshold_exceeded": 0,
    "gpu:heat_slowdown": 0,
    "gpu:memory_orphaned": 0,
}
"""What a healthy fleet reads all the time."""
_ABSENT = ("gpu:last_error_code", "gpu:throttled:ratio", "llm:engine_gpu:failed")
"""And what it does not have at all."""
_TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000)
_FIRST = (
    0.001,
    0.005,
    0.01,
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.25,
    0.5,
    0.75,
    1,
    2.5,
    5,
    7.5,
    10,
    20,
    40,
    80,
    160,
    640,
    2560,
)
_BETWEEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
_WHOLE = (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680)
VLLM = {
    "vllm:time_to_first_token_seconds": _FIRST,
    "vllm:inter_token_latency_seconds": _BETWEEN,
    "vllm:request_time_per_output_token_seconds": _BETWEEN,
    "vllm:e2e_request_latency_seconds": _WHOLE,
    "vllm:request_queue_time_seconds": _WHOLE,
    "vllm:request_prefill_time_seconds": _WHOLE,
    "vllm:request_decode_time_seconds": _WHOLE,
    "vllm:request_prompt_tokens": _TOKENS,
    "vllm:request_generation_tokens": _TOKENS,
    "vllm:request_max_num_generation_tokens": _TOKENS,
}
"""vLLM's histograms that its board reads, with their default buckets."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """How many there are, and how often they are scraped."""

    engines: int
    gpus: int
    scrape: int

    def engine_labels(self) -> Iterator[dict[str, str]]:
        """Target labels of each engine."""
        for number in range(self.engines):
            service = f"service-{number % SERVICES}"
            yield _place(service, f"host-{number % max(1, self.gpus // GPUS_A_HOST)}") | {
                "engine": "inferwatch",
                "job": "engines",
                "instance": f"engine-{number}:8000",
            }

    def gpu_labels(self) -> Iterator[dict[str, str]]:
        """Target labels and identity of each GPU."""
        for number in range(self.gpus):
            host = f"host-{number // GPUS_A_HOST}"
            yield _place("gpu-exporter", host) | {
                "job": "gpu-exporter",
                "instance": f"{host}:9836",
                "gpu": str(number % GPUS_A_HOST),
                "uuid": f"GPU-{number:08d}",
            }


def canonical(fleet: Fleet) -> Iterator[tuple[str, Labels, bool]]:
    """Name, labels and whether it only rises, of every canonical series of a healthy fleet."""
    engines = [labels | {"model": "model"} for labels in fleet.engine_labels()]
    by_service = {labels["service"]: labels for labels in engines}.values()
    for signal in SIGNALS:
        named = set(signal.labels)
        if signal.name in _ABSENT:
            continue
        if "uuid" in named and signal.name.startswith("gpu:"):
            places: Iterable[Labels] = fleet.gpu_labels()
        elif "instance" in named and "engine" in named:
            places = engines
        elif signal.name.startswith(("llm:", "slo:")):
            places = by_service
        else:
            continue
        for labels in places:
            for extra in _extras(signal.name, named, labels):
                yield signal.name, {key: value for key, value in (labels | extra).items() if key in named}, False


def native(fleet: Fleet) -> Iterator[tuple[str, Labels, bool]]:
    """The same of what our engines and GPU exporters expose."""
    for metric in llm.METRICS:
        for labels in fleet.engine_labels():
            yield from _exposed(metric.exposed, metric.labels, metric.buckets, labels, metric.type == "counter")
    for metric in (*gpu.METRICS, *gpu_health.METRICS, *gpu_use.METRICS):
        for labels in fleet.gpu_labels():
            if "uuid" in metric.labels:
                yield from _exposed(metric.exposed, metric.labels, metric.buckets, labels, metric.type == "counter")


def vllm(fleet: Fleet) -> Iterator[tuple[str, Labels, bool]]:
    """The same of what vLLM exposes and its board reads."""
    for place in fleet.engine_labels():
        labels = {"job": "vllm", "instance": place["instance"], "model_name": "model", "engine": "0"}
        for name in ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc"):
            yield f"vllm:{name}", labels, False
        for name in ("prompt_tokens_total", "generation_tokens_total"):
            yield f"vllm:{name}", labels, True
        for reason in ("stop", "length", "abort"):
            yield "vllm:request_success_total", labels | {"finished_reason": reason}, True
        for name, edges in VLLM.items():
            yield from _exposed((f"{name}_bucket", f"{name}_count", f"{name}_sum"), (), edges, labels, rises=True)


def write_blocks(
    series: Iterable[tuple[str, Labels, bool]], seconds: int, scrape: int, into: Path, promtool: Path
) -> int:
    """Make blocks of some seconds that end at END; returns how many series there are."""
    times = [str(moment) for moment in range(END - seconds, END + 1, scrape)]
    waves = [
        [f"{0.3 + 0.2 * ((step + phase) % 7) / 7:.3f} {time}" for step, time in enumerate(times)] for phase in range(7)
    ]
    slopes = [[f"{step * (phase + 1)} {time}" for step, time in enumerate(times)] for phase in range(7)]
    text, count = into / "fleet.om", 0
    into.mkdir(parents=True, exist_ok=True)
    with text.open("w") as file:
        for name, group in itertools.groupby(sorted(series, key=lambda one: one[0]), key=lambda one: one[0]):
            for _, labels, rises in group:
                written = name + "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "} "
                points = (slopes if rises else waves)[count % 7]
                if name in _FLAT:
                    points = [f"{_FLAT[name]} {time}" for time in times]
                file.write("".join(f"{written}{point}\n" for point in points))
                count += 1
        file.write("# EOF\n")
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet", text, into / "data"]
    subprocess.run(command, check=True, capture_output=True)
    text.unlink()
    return count


def _place(service: str, host: str) -> dict[str, str]:
    return {"cluster": "default", "namespace": "default", "service": service, "host": host}


def _extras(name: str, named: set[str], labels: Labels) -> Iterator[dict[str, str]]:
    """Every combination of the labels that are no place."""
    choices = {key: values for key, values in _EXTRA.items() if key in named}
    if "le" in named:
        metric = next((one for stem, one in _LE.items() if stem in name), llm.INTER_TOKEN_LATENCY)
        choices["le"] = (*map(str, metric.buckets), "+Inf")
    if "slo" in choices:
        choices["slo"] = tuple(f"{labels['service']}-{kind}" for kind in choices["slo"])
    other = dict.fromkeys(named - set(labels) - set(choices), "x")
    for values in itertools.product(*choices.values()):
        yield other | dict(zip(choices, values, strict=True))


def _exposed(
    names: tuple[str, ...], own: tuple[str, ...], edges: tuple[float, ...], labels: Labels, rises: bool
) -> Iterator[tuple[str, Labels, bool]]:
    for extra in _extras("", set(own) - set(labels), labels):
        for name in names:
            if name.endswith("_bucket"):
                for edge in (*map(str, edges), "+Inf"):
                    yield name, {**labels, **extra, "le": edge}, True
            else:
                yield name, {**labels, **extra}, rises or name.endswith(("_count", "_sum"))
