"""What the user changes: replicas needed, promises to users, thresholds, disabled alerts; read from objectives.yaml."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from exporters.catalogue import llm

DEFAULT_FILE = Path(__file__).with_name("objectives.yaml")

Kind = Literal["availability", "time_to_first_token", "time_per_output_token"]
"""What a promise is about."""
LATENCIES = {"time_to_first_token": llm.TIME_TO_FIRST_TOKEN, "time_per_output_token": llm.TIME_PER_OUTPUT_TOKEN}
"""The histogram behind each promise about time: a limit must be one of its edges, or nobody could count who kept it."""

LEAST_RATIO, HIGHEST_RATIO = 0.9, 0.9999
"""Below the least, even half of all requests failing spends the budget less than 5 times too fast, which is no page;
above the highest, the budget of 30 days is less than 4.3 minutes, which is gone before a person is at a keyboard."""
SHORTEST_PERIOD_DAYS, LONGEST_PERIOD_DAYS = 7, 90


@dataclass(frozen=True, slots=True)
class Promise:
    """One objective: this share of a service's requests goes well, over the period."""

    service: str
    kind: Kind
    ratio: float
    """From 0.9 to 0.9999."""
    seconds: float | None = None
    """The limit that makes a request good; None for availability."""
    model: str = ""
    """The only model that it is for; empty for all."""
    other_than: tuple[str, ...] = ()
    """Models that have a promise of their own of this kind."""

    @property
    def slo(self) -> str:
        """Its name, and the label `slo` of all its series: `chat-availability`, `chat-time_to_first_token-llama`."""
        return "-".join(filter(None, (self.service, self.kind, self.model)))

    @property
    def allowed(self) -> float:
        """Share of requests that may go wrong."""
        return round(1 - self.ratio, 9)


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one replica can do; for a board, no alert reads it."""

    requests_per_second: float
    """The knee: the highest rate at which answers do not come late."""
    wait_seconds: float
    """How long a request may wait on average, of which the replicas that a queue would need are computed."""


@dataclass(frozen=True, slots=True)
class Service:
    """What one service promises."""

    needed: int | None = None
    """Healthy replicas that its users need; None means all that there are."""
    promises: tuple[Promise, ...] = ()
    capacity: Capacity | None = None
    """None where nobody has measured it."""


@dataclass(frozen=True, slots=True)
class Objectives:
    """Everything in objectives.yaml."""

    services: Mapping[str, Service] = field(default_factory=dict)
    """By the `service` label; a service that is not here needs all its replicas and has no objectives."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """By alert name, in the alert's own unit."""
    disabled: frozenset[str] = frozenset()
    period_days: float = 30
    """How long an error budget has to last."""
    min_rate: float = 0.1
    """Requests a second; a window that saw fewer says nothing about a promise."""

    def threshold(self, alert: str, default: float) -> float:
        """The threshold of an alert: the user's, else the catalogue's."""
        return self.thresholds.get(alert, default)

    @property
    def promises(self) -> tuple[Promise, ...]:
        """Of all services."""
        return tuple(promise for service in self.services.values() for promise in service.promises)


def load(path: Path = DEFAULT_FILE) -> Objectives:
    """Read an objectives file.

    Raises:
        ValueError: On a key or value that means nothing; the message says where and what may stand there.
    """
    known = {"services", "thresholds", "disabled", "period_days", "min_rate"}
    raw = _mapping(_parsed(path), str(path), known)
    services = _mapping(raw.get("services") or {}, f"{path}: services")
    thresholds = _mapping(raw.get("thresholds") or {}, f"{path}: thresholds")
    disabled = raw.get("disabled") or []
    if not isinstance(disabled, list) or not all(isinstance(name, str) for name in disabled):
        raise ValueError(f"{path}: disabled must be a list of alert names")
    return Objectives(
        {name: _service(name, value, f"{path}: services.{name}") for name, value in services.items()},
        {name: _number(value, f"{path}: thresholds.{name}") for name, value in thresholds.items()},
        frozenset(disabled),
        _between(raw.get("period_days", 30), f"{path}: period_days", SHORTEST_PERIOD_DAYS, LONGEST_PERIOD_DAYS),
        _between(raw.get("min_rate", 0.1), f"{path}: min_rate", 0.001, 1000),
    )


def _parsed(path: Path) -> Any:  # noqa: ANN401 - whatever YAML holds
    try:
        return yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {error}") from error


def _service(name: str, raw: Any, where: str) -> Service:  # noqa: ANN401
    stated = _mapping(raw or {}, where, {"needed", "models", "capacity", *get_args(Kind)})
    models = _mapping(stated.get("models") or {}, f"{where}.models")
    own = tuple(
        replace(_promise(kind, value, f"{where}.models.{model}"), service=name, model=model)
        for model, promises in models.items()
        for kind, value in _mapping(promises or {}, f"{where}.models.{model}", set(get_args(Kind))).items()
    )
    for_all = tuple(
        replace(
            _promise(kind, stated[kind], where),
            service=name,
            other_than=tuple(promise.model for promise in own if promise.kind == kind),
        )
        for kind in get_args(Kind)
        if kind in stated
    )
    capacity = _capacity(stated["capacity"], f"{where}.capacity") if "capacity" in stated else None
    return Service(_needed(stated.get("needed", "all"), where), (*for_all, *own), capacity)


def _capacity(raw: Any, where: str) -> Capacity:  # noqa: ANN401
    keys = ("requests_per_second", "wait_seconds")
    stated = _mapping(raw or {}, where, set(keys))
    if missing := [key for key in keys if key not in stated]:
        raise ValueError(f"{where}: {' and '.join(missing)} missing")
    return Capacity(*(_between(stated[key], f"{where}.{key}", 0.001, 1_000_000) for key in keys))


def _needed(raw: Any, where: str) -> int | None:  # noqa: ANN401
    if raw == "all":
        return None
    if not isinstance(raw, int) or isinstance(raw, bool) or raw < 1:
        raise ValueError(f"{where}.needed must be `all` or a whole number from 1, got {raw!r}")
    return raw


def _promise(kind: Any, raw: Any, where: str) -> Promise:  # noqa: ANN401
    """A promise that does not know yet whose it is."""
    where = f"{where}.{kind}"
    keys = {"ratio"} if kind == "availability" else {"seconds", "ratio"}
    stated = _mapping(raw or {}, where, keys)
    if missing := sorted(keys - set(stated)):
        raise ValueError(f"{where}: {' and '.join(missing)} missing")
    ratio = _between(stated["ratio"], f"{where}.ratio", LEAST_RATIO, HIGHEST_RATIO)
    seconds = _edge(stated["seconds"], kind, f"{where}.seconds") if "seconds" in keys else None
    return Promise("", kind, ratio, seconds)


def _edge(raw: Any, kind: str, where: str) -> float:  # noqa: ANN401
    seconds, edges = _number(raw, where), LATENCIES[kind].buckets
    if seconds not in edges:
        below = [edge for edge in edges if edge < seconds][-1:]
        above = [edge for edge in edges if edge > seconds][:1]
        nearest = " and ".join(f"{edge:g}" for edge in below + above)
        raise ValueError(f"{where} must be an edge of the engine's buckets, got {seconds:g}; nearest: {nearest}")
    return seconds


def _between(raw: Any, where: str, least: float, most: float) -> float:  # noqa: ANN401
    number = _number(raw, where)
    if not least <= number <= most:
        raise ValueError(f"{where} must be from {least:g} to {most:g}, got {number:g}")
    return number


def _mapping(raw: Any, where: str, known: set[str] | None = None) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise ValueError(f"{where} must be a mapping of names to values")
    if known is not None and (unknown := sorted(set(raw) - known)):
        raise ValueError(f"{where}: unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    return raw


def _number(raw: Any, where: str) -> float:  # noqa: ANN401
    if not isinstance(raw, (int, float)) or isinstance(raw, bool):
        raise ValueError(f"{where} must be a number, got {raw!r}")
    return float(raw)


def check_names(objectives: Objectives, alerts: Collection[str], with_threshold: Collection[str]) -> None:
    """Refuse a threshold or a disabled entry for an alert that does not exist, and a threshold where there is none.

    Raises:
        ValueError: The message names the entry and the alerts there are.
    """
    named = set(objectives.thresholds) | objectives.disabled
    if unknown := sorted(named - set(alerts)):
        raise ValueError(f"objectives: no alert {', '.join(unknown)}; there are {', '.join(sorted(alerts))}")
    if fixed := sorted(set(objectives.thresholds) - set(with_threshold)):
        raise ValueError(
            f"objectives: {', '.join(fixed)} has no threshold to be changed; there are "
            f"{', '.join(sorted(with_threshold))}"
        )
