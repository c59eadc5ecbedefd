"""What the user changes: replicas needed, promises to users, thresholds, disabled alerts; read from objectives.yaml."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DEFAULT_FILE = Path(__file__).with_name("objectives.yaml")


@dataclass(frozen=True, slots=True)
class Service:
    """What one service promises."""

    needed: int | None = None
    """Healthy replicas that its users need; None means all that there are."""


@dataclass(frozen=True, slots=True)
class Objectives:
    """Everything in objectives.yaml."""

    services: Mapping[str, Service] = field(default_factory=dict)
    """By the `service` label; a service that is not here needs all its replicas and has no objectives."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """By alert name, in the alert's own unit."""
    disabled: frozenset[str] = frozenset()

    def threshold(self, alert: str, default: float) -> float:
        """The threshold of an alert: the user's, else the catalogue's."""
        return self.thresholds.get(alert, default)


def load(path: Path = DEFAULT_FILE) -> Objectives:
    """Read an objectives file.

    Raises:
        ValueError: On a key or value that means nothing; the message says where and what may stand there.
    """
    raw = _mapping(yaml.safe_load(path.read_text()) or {}, str(path), {"services", "thresholds", "disabled"})
    services = _mapping(raw.get("services") or {}, f"{path}: services")
    thresholds = _mapping(raw.get("thresholds") or {}, f"{path}: thresholds")
    disabled = raw.get("disabled") or []
    if not isinstance(disabled, list) or not all(isinstance(name, str) for name in disabled):
        raise ValueError(f"{path}: disabled must be a list of alert names")
    return Objectives(
        {name: _service(value, f"{path}: services.{name}") for name, value in services.items()},
        {name: _number(value, f"{path}: thresholds.{name}") for name, value in thresholds.items()},
        frozenset(disabled),
    )


def _service(raw: Any, where: str) -> Service:  # noqa: ANN401 - whatever YAML holds
    needed = _mapping(raw or {}, where, {"needed"}).get("needed", "all")
    if needed == "all":
        return Service()
    if not isinstance(needed, int) or isinstance(needed, bool) or needed < 1:
        raise ValueError(f"{where}.needed must be `all` or a whole number from 1, got {needed!r}")
    return Service(needed)


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


def check_names(objectives: Objectives, alerts: Collection[str]) -> None:
    """Refuse a threshold or a disabled entry for an alert that does not exist.

    Raises:
        ValueError: The message names the entry and the alerts there are.
    """
    named = set(objectives.thresholds) | objectives.disabled
    if unknown := sorted(named - set(alerts)):
        raise ValueError(f"objectives: no alert {', '.join(unknown)}; there are {', '.join(sorted(alerts))}")
