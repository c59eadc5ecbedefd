"""The clock that rules, routes and drills are computed for: one object, read from timing.yaml.

Everything that depends on time (windows, holds, bounds, group waits) asks a `Timing`, so that the same
catalogue regenerates for another scrape interval, or for the compressed clock of the tests.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, get_args

import yaml

DEFAULT_FILE = Path(__file__).with_name("timing.yaml")

NOTIFIER_SECONDS = 1.0
"""From a firing evaluation to Alertmanager: queue and one HTTP call on the same host."""
DELIVERY_SECONDS = 2.0
"""From Alertmanager's flush to the channel: template, HTTP or SMTP (reference: 1 to 2 s)."""


Clock = Literal["real", "compressed", "relaxed"]
CLOCKS: tuple[Clock, ...] = get_args(Clock)


@dataclass(frozen=True, slots=True)
class Timing:
    """Intervals in seconds; their meaning stands beside each in timing.yaml."""

    scrape_interval: float
    scrape_timeout: float
    evaluation_interval: float
    gpu_collection_interval: float
    probe_interval: float
    probe_timeout: float
    root_group_wait: float
    symptom_group_wait: float
    group_interval: float
    heartbeat_interval: float
    resend_delay: float
    for_divisor: float = 1
    """The compressed clock divides every `for` by this."""
    hold_divisor: float = 1
    """The compressed clock divides windows and keep_firing_for by this."""
    scrapes_per_window: int = 3
    """No window is shorter than this many scrapes: one may be missed and a rate still has two samples."""

    def __post_init__(self) -> None:
        """Refuse a clock on which no rule could be right."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
                raise ValueError(f"timing: {field.name} must be a number of seconds above 0, got {value!r}")
        if self.scrape_timeout >= self.scrape_interval:
            raise ValueError("timing: scrape_timeout must be below scrape_interval")
        if self.probe_timeout >= self.probe_interval:
            raise ValueError("timing: probe_timeout must be below probe_interval")

    def pending(self, seconds: float) -> float:
        """A rule's `for`: as declared at the real clock, in seconds, on this clock."""
        return _rounded(seconds / self.for_divisor)

    def window(self, seconds: float) -> float:
        """A look-back window or keep_firing_for on this clock, in seconds; never under a few scrapes."""
        return _rounded(max(seconds / self.hold_divisor, self.scrapes_per_window * self.scrape_interval))

    def at(self, clock: Clock) -> "Timing":
        """This clock, or one of the tests' clocks: same rules, less waiting. The real clock is the claim."""
        return {"real": self, "compressed": self.compressed(), "relaxed": self.compressed(2)}[clock]

    def compressed(self, pace: float = 1) -> "Timing":
        """The clock of the tests, or all of its waits so many times as long: for machines too slow for it."""
        return replace(
            self,
            scrape_interval=1 * pace,
            scrape_timeout=0.9 * pace,
            evaluation_interval=1 * pace,
            gpu_collection_interval=1 * pace,
            probe_interval=2 * pace,
            probe_timeout=1.9 * pace,
            root_group_wait=3 * pace,
            symptom_group_wait=9 * pace,
            group_interval=5 * pace,
            heartbeat_interval=5 * pace,
            resend_delay=3 * pace,  # with an evaluation well below group_interval, as on the real clock
            for_divisor=5 / pace,
            hold_divisor=60 / pace,
            scrapes_per_window=4,
        )


def load(path: Path = DEFAULT_FILE) -> Timing:
    """Read a timing file.

    Raises:
        ValueError: On a missing, unknown or impossible value; the message names it.
    """
    raw = yaml.safe_load(path.read_text())
    known = {field.name for field in fields(Timing)}
    if not isinstance(raw, dict) or not set(raw) <= known:
        raise ValueError(f"{path}: unknown settings {sorted(set(raw or ()) - known)}")
    try:
        return Timing(**raw)
    except TypeError as error:
        raise ValueError(f"{path}: {error}") from error


def duration(seconds: float) -> str:
    """Seconds as Prometheus and Alertmanager write them: `15s`, `1m`, `1500ms`."""
    if seconds != int(seconds):
        return f"{round(seconds * 1000)}ms"
    whole = int(seconds)
    for unit, size in (("h", 3600), ("m", 60)):
        if whole and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def _rounded(seconds: float) -> float:
    """To the millisecond, Prometheus' own resolution."""
    return round(seconds, 3)
