"""Every setting of the exporter, once: flags, environment names, `--help` and the README table come from here."""

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from exporters.gpu.collectors import OPTIONAL_COLLECTORS
from exporters.gpu.inventory import Expected
from exporters.gpu.simulator.profiles import PROFILES

ENVIRONMENT_PREFIX = "GPU_EXPORTER_"
_MOST_GPUS = 64


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    port: int
    """0 takes any free one."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that the user can set."""

    flag: str
    default: str
    """As the user would write it."""
    meaning: str
    parse: Callable[[str], object]
    """Raises ValueError with what is wrong."""

    @property
    def field(self) -> str:
        """Its name in `Settings`."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def environment(self) -> str:
        """The environment variable that sets it; a flag wins."""
        return ENVIRONMENT_PREFIX + self.field.upper()


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user wants."""

    source: Literal["auto", "nvml", "simulated"]
    gpus: int
    listen_address: Address
    collection_interval: float
    """Seconds."""
    call_timeout: float
    """Seconds."""
    expected_gpus: Expected
    state_file: Path | None
    kernel_log: Path | Literal["auto"] | None
    """None for no kernel log."""
    extra_collectors: tuple[str, ...]
    kubelet_socket: Path | None
    slurm_job_directory: Path | None
    simulated_load_url: str
    """Empty for a load of its own."""
    simulated_profile: str
    simulated_scenario: Path | None
    simulated_call_seconds: float
    log_level: str


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is none of: {', '.join(choices)}")
        return text

    return parse


def _gpus(text: str) -> int:
    if not text.isdecimal() or int(text) > _MOST_GPUS:
        raise ValueError(f"{text!r} is not a number from 0 to {_MOST_GPUS}")
    return int(text)


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:9836 or [::1]:9836")
    return Address(host, int(port))


def _seconds(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not least <= seconds <= most:
            raise ValueError(f"{text!r} is not a number of seconds from {least:g} to {most:g}")
        return seconds

    return parse


def _expected(text: str) -> Expected:
    if text.isdecimal() and text.isascii():
        return Expected(count=_gpus(text))
    if text in ("", "remember"):
        return Expected(remember=bool(text))
    if "/" not in text:
        raise ValueError(f"{text!r} is no number, not `remember`, and no path (./{text} would be one)")
    return Expected(file=Path(text))


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _kernel_log(text: str) -> Path | Literal["auto"] | None:
    return "auto" if text == "auto" else _path(text)


def _extras(text: str) -> tuple[str, ...]:
    known = [name for name, _ in OPTIONAL_COLLECTORS]
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    for name in wanted:
        if name not in known:
            raise ValueError(f"{name!r} is none of: {', '.join(known)}")
    return tuple(dict.fromkeys(wanted))


def _url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError(f"{text!r} is not an http(s) address; leave it empty for a load of its own")
    return text


SETTINGS = (
    Setting(
        "--source",
        "auto",
        "where readings come from: `nvml` (real GPUs), `simulated`, or `auto`: nvml where NVIDIA's driver library "
        "loads, else simulated",
        _one_of("auto", "nvml", "simulated"),
    ),
    Setting("--gpus", "2", f"number of simulated GPUs, 0 to {_MOST_GPUS}; real ones are counted by the driver", _gpus),
    Setting(
        "--listen-address", "127.0.0.1:9836", "HOST:PORT to serve on; port 0 takes any free one and logs it", _address
    ),
    Setting(
        "--collection-interval",
        "5",
        "seconds from one reading of all GPUs to the next, 0.1 to 3600",
        _seconds(0.1, 3600),
    ),
    Setting(
        "--call-timeout",
        "2",
        "seconds that one GPU may take to be read, 0.1 to 60; then the process that reads it is killed and the GPU "
        "left alone for a while",
        _seconds(0.1, 60),
    ),
    Setting(
        "--expected-gpus",
        "",
        "which GPUs there should be, so that a missing one is reported by its uuid: a number, the path of a file that "
        "lists uuids (as `nvidia-smi -L` does), `remember` (every GPU ever seen), or empty: those seen since the start",
        _expected,
    ),
    Setting(
        "--state-file",
        "/var/lib/inferwatch/gpus.json",
        "where GPUs are remembered across restarts, if --expected-gpus is a number or `remember`; empty: nowhere",
        _path,
    ),
    Setting(
        "--kernel-log",
        "auto",
        "kernel log to read XIDs and SXids from; empty: none, `auto`: /dev/kmsg where GPUs are real "
        "(takes root or CAP_SYSLOG)",
        _kernel_log,
    ),
    Setting(
        "--extra-collectors",
        "",
        "optional subjects to show too, separated by commas: media (video engines), fans, bar1, row_histogram, "
        "link_errors (of every NVLink), pids (memory of every process)",
        _extras,
    ),
    Setting(
        "--kubelet-socket",
        "/var/lib/kubelet/pod-resources/kubelet.sock",
        "the kubelet's pod-resources socket, asked where it is there which pod has which GPU; empty: never; takes the "
        "extra `kubernetes`",
        _path,
    ),
    Setting(
        "--slurm-job-directory",
        "",
        "directory in which the scheduler names the jobs of each GPU, as for dcgm-exporter's --hpc-job-mapping-dir; "
        "empty: none",
        _path,
    ),
    Setting(
        "--simulated-load-url",
        "http://127.0.0.1:8000/metrics",
        "metrics page of the inference service that drives the simulated GPUs; unreachable means idle, "
        "empty means a load of its own, in five-minute waves",
        _url,
    ),
    Setting(
        "--simulated-profile",
        "h200",
        f"what card the simulated GPUs are: {', '.join(PROFILES)}",
        _one_of(*PROFILES),
    ),
    Setting(
        "--simulated-scenario",
        "",
        "JSON file of changes to the simulated GPUs, each at its time; empty: none",
        _path,
    ),
    Setting(
        "--simulated-call-seconds",
        "0",
        "seconds that each call of the simulated driver takes, 0 to 1",
        _seconds(0, 1),
    ),
    Setting(
        "--log-level",
        "info",
        "least severe message to log: debug, info, warning or error",
        _one_of("debug", "info", "warning", "error"),
    ),
)


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """What the command line and the environment say; a flag wins over its variable.

    Raises:
        SystemExit: With 2 where a value is wrong (the message on standard error names it), 0 after `--help`.
    """
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    values: dict[str, object] = {}
    for setting in SETTINGS:
        named = setting.flag if given[setting.field] is not None else setting.environment
        text = given[setting.field]
        text = environment.get(setting.environment, setting.default) if text is None else text
        try:
            values[setting.field] = setting.parse(text)
        except ValueError as error:
            parser.error(f"{named}: {error}")
    return Settings(**values)  # type: ignore[arg-type]  # each value comes from its setting's own parser


def table() -> str:
    """The settings as a Markdown table."""
    rows = (
        f"| `{one.flag}` | `{one.environment}` | {f'`{one.default}`' if one.default else 'empty'} | {one.meaning} |"
        for one in SETTINGS
    )
    return "\n".join(("| Flag | Environment | Default | Meaning |", "|---|---|---|---|", *rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m exporters.gpu",
        description="Serve the readings of this machine's NVIDIA GPUs, or of simulated ones, as Prometheus metrics.",
        # Else fourteen lines of it stand before every error.
        usage="%(prog)s [--help] [--SETTING VALUE]...",
        epilog="Ends within 3 s of SIGTERM or SIGINT. Exit status: 0 then, 1 after a crash, 2 on a wrong setting or a "
        "taken port.",
        allow_abbrev=False,
    )
    for setting in SETTINGS:
        parser.add_argument(
            setting.flag,
            metavar=setting.field.upper().rpartition("_")[2],
            help=f"{setting.meaning} (default {setting.default or 'empty'}; environment {setting.environment})",
        )
    return parser
