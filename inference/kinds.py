"""Kinds of settings: what their text must look like, and what to write where it does not."""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated

import limits
from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from inference.api.keys import InvalidKeysError
from inference.api.keys import read as read_keys

_GPU_UUID = re.compile(r"(GPU|MIG)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _parts(given: object) -> object:
    return tuple(part.strip() for part in given.split(",") if part.strip()) if isinstance(given, str) else given


def _url(given: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+\S*", given):
        raise ValueError("must begin with http:// or https:// and name a host")
    return given


def _gpu_uuids(given: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(given)) != len(given) or not all(_GPU_UUID.fullmatch(uuid) for uuid in given):
        raise ValueError("must be UUIDs as nvidia-smi -L shows them, GPU-..., each once")
    return given


def _origins(given: tuple[str, ...]) -> tuple[str, ...]:
    if not all(origin == "*" or re.fullmatch(r"https?://[^\s/]+", origin) for origin in given):
        raise ValueError("must be origins, scheme and host and nothing after it, for instance https://chat.example")
    return given


def _rate(given: str) -> str:
    try:
        rates = limits.parse_many(given)
    except ValueError:
        rates = []
    if len(rates) != 1 or rates[0].amount < 1:
        raise ValueError("must be one rate, for instance 60/minute or 5/second")
    return given


def _keys(given: Path) -> Path:
    try:
        read_keys(given)
    except InvalidKeysError as error:
        raise ValueError(str(error)) from None
    return given


def _log_file(given: Path) -> Path:
    # The directory too: a new file comes each day.
    writable = os.access(given.parent, os.W_OK) and (not given.exists() or os.access(given, os.W_OK))
    if given.is_dir() or not writable:
        raise ValueError("cannot be written: must be a file in a directory that exists and may be written")
    return given


def _model(given: str) -> str:
    looks_like_a_path = given.startswith((".", "/", "~")) or given.count("/") > 1
    if not (looks_like_a_path or Path(given).is_dir()):
        return given
    directory = Path(given).expanduser()
    if not (directory / "config.json").is_file():
        raise ValueError("no such directory, or no model in it (config.json is missing)")
    return str(directory)


Url = Annotated[str, AfterValidator(_url)]
GpuUuids = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parts), AfterValidator(_gpu_uuids)]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parts), AfterValidator(_origins)]
Rate = Annotated[str, AfterValidator(_rate)]
KeysPath = Annotated[Path, AfterValidator(_keys)]
LogFile = Annotated[Path, AfterValidator(_log_file)]
ModelPlace = Annotated[str, AfterValidator(_model)]
"""A directory in Hugging Face's format, or a hub id."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address or name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
