"""How many pages and tickets a week a fleet has to expect of broken hardware, from published rates.

An estimate of what cannot be avoided. It says nothing of software that crashes, of overload, deployments and changes,
of which nobody publishes rates that would hold elsewhere.
"""

import math
from dataclasses import dataclass

HOURS_A_WEEK = 168
GPUS_A_HOST = 8
"""Not of the report, which counts GPUs: H100 servers of this kind have eight."""
LLAMA = "Meta's Llama 3 report: 16,384 H100 for 54 days; these are 293 of 419 unexpected interruptions"
_DAYS, _GPUS = 54, 16_384
_GPU_WEEKS = _GPUS * _DAYS / 7
_HOST_WEEKS = _GPU_WEEKS / GPUS_A_HOST


@dataclass(frozen=True, slots=True)
class Rate:
    """What fails, how often it was seen to, and which alerts tell of it."""

    what: str
    alerts: str
    subject: str
    """gpu or host."""
    seen: int
    """Failures in the published time."""
    exposure: float
    """Weeks of one subject in the published time."""
    source: str
    breaks_engine: bool = True
    """Whether the engines on it stop serving."""

    @property
    def weekly(self) -> float:
        """Failures of one subject a week."""
        return self.seen / self.exposure


RATES = (
    Rate("GPU: failed or lost", "GpuFallenOffBus, GpuMissing, GpuXidFatal", "gpu", 148, _GPU_WEEKS, LLAMA),
    Rate("GPU: memory (HBM3)", "GpuEccUncorrectable", "gpu", 72, _GPU_WEEKS, LLAMA),
    Rate("GPU: on-chip memory", "GpuEccUncorrectable, GpuSramErrorsHigh", "gpu", 19, _GPU_WEEKS, LLAMA),
    Rate("GPU: system processor", "GpuXidFatal (119, 120)", "gpu", 17, _GPU_WEEKS, LLAMA),
    Rate("host: CPU", "HostDown, EngineDown", "host", 2, _HOST_WEEKS, LLAMA),
    Rate("host: switch and cable", "GpuNvlinkDown, HostNetworkErrors", "host", 35, _HOST_WEEKS, LLAMA, False),
)
"""The report's other 126 interruptions have no part that would tell whose failures they were."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What there is.

    Raises:
        ValueError: On a number that means nothing; the message says which.
    """

    gpus: int
    hosts: int
    engines: int
    services: int
    spare: int = 0
    """Replicas of each service beyond what objectives.yaml needs."""
    repair_hours: float = 4
    """From a failure until the replica serves again."""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name in ("gpus", "hosts", "spare"):
            if getattr(self, name) < 0:
                raise ValueError(f"--{name} must not be negative")
        if self.services < 1 or self.engines < self.services:
            raise ValueError("--services must be 1 or more, and --engines at least as many")
        if self.spare >= self.engines / self.services:
            raise ValueError(f"--spare {self.spare}: a service has only {self.engines / self.services:g} replicas")
        if not 0 < self.repair_hours <= HOURS_A_WEEK:
            raise ValueError(f"--repair-hours must be above 0 and at most {HOURS_A_WEEK}")

    def count(self, subject: str) -> int:
        """How many there are that can fail so."""
        return {"gpu": self.gpus, "host": self.hosts}[subject]


@dataclass(frozen=True, slots=True)
class Load:
    """What to expect in a week."""

    failures: tuple[tuple[Rate, float], ...]
    broken: float
    """Failures a week that stop an engine."""
    down: float
    """Replicas of one service that are down at a time, on average."""
    short: float
    """Share of failures that find no spare replica left."""

    @property
    def pages(self) -> float:
        """A week."""
        return self.broken * self.short

    @property
    def tickets(self) -> float:
        """A week."""
        return sum(weekly for _, weekly in self.failures) - self.pages


def expected(fleet: Fleet) -> Load:
    """The load of a fleet, by its failures and the spare replicas that take them."""
    failures = tuple((rate, fleet.count(rate.subject) * rate.weekly) for rate in RATES)
    broken = sum(weekly for rate, weekly in failures if rate.breaks_engine)
    # Failures come by themselves, evenly over services: those of one that are not repaired yet are Poisson's.
    down = broken / fleet.services * fleet.repair_hours / HOURS_A_WEEK
    return Load(failures, broken, down, at_least(fleet.spare, down))


def at_least(number: int, mean: float) -> float:
    """Poisson's probability of at least so many."""
    below, term = 0.0, math.exp(-mean)
    for count in range(number):
        below += term
        term *= mean / (count + 1)
    return max(0.0, 1 - below)


def explain(fleet: Fleet) -> str:
    """The load with its arithmetic, as text."""
    load = expected(fleet)
    lines = ["failures a week, from published rates", ""]
    for rate, weekly in load.failures:
        count = fleet.count(rate.subject)
        many = f"{count} {rate.subject}{'' if count == 1 else 's'}"
        sum_of = f"{many} x {rate.seen} / {rate.exposure:,.0f} {rate.subject}-weeks"
        lines.append(f"  {rate.what:24} {sum_of:44} = {weekly:8.4f}   {rate.alerts}")
    replicas = fleet.engines / fleet.services
    lines += [
        "",
        f"stop an engine: {load.broken:.4f} a week, all but switches and cables",
        f"spare replicas: {fleet.spare} of {replicas:g} in each of {fleet.services} services",
        f"down at a time: {load.broken:.4f} / {fleet.services} services x {fleet.repair_hours:g} h of repair / "
        f"{HOURS_A_WEEK} h = {load.down:.6f} replicas of a service",
        f"no spare left:  at least {fleet.spare} down already (Poisson) = {load.short:.6f} of failures",
        "",
        f"pages a week:   {load.broken:.4f} x {load.short:.6f} = {load.pages:.4f}",
        f"tickets a week: {load.pages + load.tickets:.4f} - {load.pages:.4f} = {load.tickets:.4f}",
        "",
        "One page for each failure: roots mute what they cause. The rates are of a training job at full load, of H100",
        f"in hosts of {GPUS_A_HOST}, which is assumed. Not in it, as no rates are published: software that crashes or",
        "hangs, overload, changes, wear that is a ticket by itself, and what burns an error budget.",
        f"source of every rate: {LLAMA}",
    ]
    return "\n".join(lines)
