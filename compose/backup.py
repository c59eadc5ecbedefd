"""`inferwatch backup` and `inferwatch restore`: silences, Prometheus' data and Grafana's, in one file.

Each store is ended for as long as its files are copied. Prometheus' snapshots without an end would need its admin
interface, by which any web page that its user visits could delete the data.
"""

import io
import json
import os
import tarfile
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

import httpx

_SILENCES, _ENDING = "silences.json", ".tar"
_FIELDS = ("matchers", "startsAt", "endsAt", "createdBy", "comment")
_TIMEOUT = 10.0
MEMBER_FILTER = getattr(tarfile, "data_filter", lambda member, path: member)
"""Refuses members that would land elsewhere; Python 3.11 has it from 3.11.4."""


class Keeper(Protocol):
    """A running stack whose stores can be copied."""

    @property
    def stores(self) -> tuple[str, ...]:
        """The parts of it that keep data."""
        ...

    def url(self, part: str) -> str:
        """Where a part listens."""
        ...

    def pack(self, part: str, into: IO[bytes]) -> None:
        """Write a store's files as a tar archive; the part is down meanwhile."""
        ...

    def unpack(self, part: str, packed: IO[bytes]) -> None:
        """Put the files of a tar archive in place of a store's; the part is down meanwhile."""
        ...


def save(stack: Keeper, file: Path) -> dict[str, int]:
    """Write a backup that only its owner can read.

    Returns:
        Bytes of each store, and how many silences.

    Raises:
        httpx.HTTPError, OSError: As their messages say; no file is left.
    """
    silences = [
        {field: silence[field] for field in _FIELDS}
        for silence in _call("GET", stack)
        if silence["status"]["state"] != "expired"
    ]
    written = {"silences": len(silences)}
    with tempfile.TemporaryDirectory(dir=file.absolute().parent, prefix=".backup-") as scratch:
        made = Path(scratch, "backup")
        with tarfile.open(made, "w:gz", compresslevel=1) as tar:
            _add(tar, _SILENCES, json.dumps(silences).encode())
            for part in stack.stores:
                packed = Path(scratch, part + _ENDING)
                with packed.open("wb") as into:
                    stack.pack(part, into)
                tar.add(packed, packed.name)
                written[part] = packed.stat().st_size
                packed.unlink()
        made.chmod(0o600)
        os.replace(made, file)
    return written


def load(stack: Keeper, file: Path) -> dict[str, int]:
    """Put a backup's content in place of what the stack has; silences that it has already stay as they are.

    Returns:
        Bytes of each store, and how many silences were set.

    Raises:
        ValueError: The file is no backup, or holds a store that this stack lacks.
        httpx.HTTPError, OSError: As their messages say.
    """
    try:
        with tarfile.open(file, "r:gz") as tar:
            stored = [name.removesuffix(_ENDING) for name in tar.getnames() if name.endswith(_ENDING)]
            if unknown := set(stored) - set(stack.stores):
                raise ValueError(f"{file}: this stack has no {', '.join(sorted(unknown))} to restore")
            read = {"silences": _silence(stack, json.load(_member(tar, _SILENCES)))}
            for part in stored:
                read[part] = tar.getmember(part + _ENDING).size
                stack.unpack(part, _member(tar, part + _ENDING))
            return read
    except (tarfile.TarError, KeyError, EOFError, json.JSONDecodeError) as error:
        raise ValueError(f"{file}: no backup of Inferwatch ({error})") from error


def _silence(stack: Keeper, silences: list[dict[str, Any]]) -> int:
    """Set those that have not ended and are not there."""
    there = [_same(silence) for silence in _call("GET", stack) if silence["status"]["state"] != "expired"]
    now = datetime.now(UTC)
    missing = [
        silence
        for silence in silences
        if _same(silence) not in there and datetime.fromisoformat(silence["endsAt"]) > now
    ]
    for silence in missing:
        _call("POST", stack, silence)
    return len(missing)


def _same(silence: Mapping[str, Any]) -> tuple[object, ...]:
    matchers = sorted(json.dumps(matcher, sort_keys=True) for matcher in silence["matchers"])
    return matchers, silence["endsAt"], silence["comment"]


def _call(method: str, stack: Keeper, body: object = None) -> Any:  # noqa: ANN401 - whatever JSON it answers
    url = f"{stack.url('alertmanager')}/api/v2/silences"
    return httpx.request(method, url, json=body, timeout=_TIMEOUT, trust_env=False).raise_for_status().json()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    content = tar.extractfile(name)
    if content is None:
        raise KeyError(name)
    return content
