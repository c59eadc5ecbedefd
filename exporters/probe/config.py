"""The probe's configuration file: read, checked, frozen. Knows nothing of HTTP or metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import yaml

MAX_TOKENS = 64
"""A probe that asks for more is a load generator."""
MAX_NAME = 200
"""Characters of a label value; longer ones are a mistake, not a name."""
MAX_GOLDEN = 1000
"""Characters of a pinned answer: no 64 tokens are longer."""


class ConfigError(ValueError):
    """The configuration cannot be used; the message names the file, the key and what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """One endpoint to ask."""

    name: str
    service: str
    url: str
    """What `/v1/...` is appended to."""
    model: str | None = None
    """None: the first one that the server lists."""
    api_key: str | None = field(default=None, repr=False)
    golden: str | None = field(default=None, repr=False)
    """How a right answer begins; None: what it answers twice in a row, learned."""
    check_answers: bool = True
    """False for engines whose greedy answers vary by design."""


@dataclass(frozen=True, slots=True)
class Config:
    """How often to ask whom."""

    targets: tuple[Target, ...]
    interval: float = 5
    """Seconds from the start of one attempt at a target to the start of the next."""
    timeout: float = 4
    """Seconds that an attempt may take from connecting to its end; below interval."""
    max_tokens: int = 4


def load(path: Path) -> Config:
    """Read a configuration file and the API key files that it names.

    Raises:
        ConfigError: If a file cannot be read, or a value is missing, unknown or impossible.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); name a readable YAML file") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error
    try:
        return _config(raw, path.parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _config(raw: object, folder: Path) -> Config:
    """The whole file. Relative key files are looked up beside it."""
    top = _mapping(raw, "top level", ("interval", "timeout", "max_tokens", "targets"))
    entries = top.get("targets")
    if not isinstance(entries, list) or not entries:
        raise ConfigError("targets: must be a list with at least one target, each with name, service and url")
    targets = tuple(_target(entry, f"targets[{index}]", folder) for index, entry in enumerate(entries))
    for index, target in enumerate(targets):
        if target.name in {other.name for other in targets[:index]}:
            raise ConfigError(f"targets[{index}].name: {target.name!r} is taken; give every target its own name")
    interval = _number(top, "interval", 5, 3600)
    timeout = _number(top, "timeout", 4, 3600)
    if timeout >= interval:
        raise ConfigError(
            f"timeout: {timeout:g} s is not below interval ({interval:g} s), so attempts would overlap; lower it"
        )
    max_tokens = _number(top, "max_tokens", 4, MAX_TOKENS)
    if max_tokens != int(max_tokens):
        raise ConfigError(f"max_tokens: {max_tokens} is not a whole number")
    return Config(targets, interval, timeout, int(max_tokens))


def _target(raw: object, key: str, folder: Path) -> Target:
    """One entry of `targets`."""
    entry = _mapping(raw, key, ("name", "service", "url", "model", "api_key_file", "golden", "check_answers"))
    check_answers = entry.get("check_answers", True)
    if not isinstance(check_answers, bool):
        raise ConfigError(f"{key}.check_answers: {check_answers!r} is neither true nor false")
    if "golden" in entry and not check_answers:
        raise ConfigError(f"{key}.golden: is never compared where check_answers is false; remove one of the two")
    return Target(
        name=_text(entry, "name", key),
        service=_text(entry, "service", key),
        url=_base_url(entry, key),
        model=_text(entry, "model", key) if entry.get("model") is not None else None,
        api_key=_api_key(folder / _text(entry, "api_key_file", key), key) if entry.get("api_key_file") else None,
        golden=_golden(entry["golden"], key) if "golden" in entry else None,
        check_answers=check_answers,
    )


def _golden(value: object, key: str) -> str:
    """A pinned answer; never part of a message, since answers stay out of logs."""
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_GOLDEN:
        raise ConfigError(
            f"{key}.golden: is not a text of 1 to {MAX_GOLDEN} characters; write how a right answer begins, in quotes"
        )
    return value


def _base_url(entry: Mapping[str, object], key: str) -> str:
    """The URL without a trailing slash or `/v1`, which people add because OpenAI's clients want it."""
    url = _text(entry, "url", key)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # brackets or a port that make no sense
        usable = False
    if not usable or parts.query or parts.fragment:
        raise ConfigError(
            f"{key}.url: {url!r} is not a base URL; give scheme, host and port, like http://127.0.0.1:8000"
        )
    if parts.username is not None:
        raise ConfigError(f"{key}.url: must not carry a password; put an API key in a file and name it in api_key_file")
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def _api_key(path: Path, key: str) -> str:
    """The key in a file; never part of a message."""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{key}.api_key_file: cannot be read ({type(error).__name__}: {path}); name a readable file"
        ) from error
    if not secret or not secret.isascii() or not secret.isprintable():
        raise ConfigError(f"{key}.api_key_file: {path} must hold one line of printable ASCII, the key")
    return secret


def _mapping(raw: object, key: str, known: tuple[str, ...]) -> Mapping[str, object]:
    """A mapping whose keys are all known."""
    if not isinstance(raw, dict):
        raise ConfigError(f"{key}: must be a mapping with the keys {', '.join(known)}")
    for name in raw:
        if name not in known:
            raise ConfigError(f"{key}: unknown key {name!r}; known are {', '.join(known)}")
    return raw


def _text(entry: Mapping[str, object], name: str, key: str) -> str:
    """A text that can be a label value."""
    value = entry.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_NAME or not value.isprintable():
        raise ConfigError(f"{key}.{name}: {value!r} is not a text of 1 to {MAX_NAME} characters; write one, in quotes")
    return value


def _number(top: Mapping[str, object], name: str, default: float, largest: float) -> float:
    """A number above 0."""
    value = top.get(name, default)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value <= largest:
        raise ConfigError(f"{name}: {value!r} is not a number above 0 and up to {largest:g}")
    return value
