"""Every setting of the service, once: flags, environment names, help and the README's table come from here."""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from inference.faults import FaultKind, InvalidFaultError, Strength, from_environment


class InvalidSettingsError(Exception):
    """Some settings are wrong; one line for each."""


class Settings(BaseSettings):
    """Read from the environment; flags win."""

    # populate_by_name stays off: it would let plain HOST and PORT of the environment in.
    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    host: str = Field("127.0.0.1", alias="INFERENCE_HOST", description="address to listen on")
    port: int = Field(8000, alias="INFERENCE_PORT", ge=0, le=65535, description="port to listen on; 0 for a free one")
    model: str | None = Field(
        None,
        alias="MODEL",
        description="directory or hub id of a dense decoder-only model in Hugging Face's format; "
        "without it a tiny model with random weights is built, whose text is noise",
    )
    served_model_name: str | None = Field(
        None,
        alias="SERVED_MODEL_NAME",
        min_length=1,
        max_length=200,
        description="name in the API and in metrics; without it the directory's name or the hub id",
    )
    model_cache: Path = Field(
        Path(".inferwatch/models"), alias="MODEL_CACHE", description="where the tiny model is kept once built"
    )
    max_batch_size: int = Field(16, alias="MAX_BATCH_SIZE", ge=1, le=1024, description="requests in one batch, at most")
    max_context: int | None = Field(
        None,
        alias="MAX_CONTEXT",
        ge=8,
        description="tokens of prompt and answer together, at most; without it the model's own limit, at most 2048",
    )
    default_max_tokens: int = Field(
        128, alias="DEFAULT_MAX_TOKENS", ge=1, description="length of an answer to a chat that names none"
    )
    queue_limit: int = Field(
        256, alias="QUEUE_LIMIT", ge=1, description="requests that may wait for a full batch, at most"
    )
    queue_timeout_seconds: float = Field(
        60.0, alias="QUEUE_TIMEOUT_SECONDS", gt=0, description="a request that has not begun to run by then gets 503"
    )
    request_timeout_seconds: float = Field(
        600.0, alias="REQUEST_TIMEOUT_SECONDS", gt=0, description="a request that has not ended by then is broken off"
    )
    kv_cache_tokens: int | None = Field(
        None,
        alias="KV_CACHE_TOKENS",
        ge=8,
        description="tokens in the KV cache over all running requests, at most; with fewer than the default, which is "
        "what the batch can hold, running requests are preempted when it is full",
    )
    max_body_bytes: int = Field(1 << 20, alias="MAX_BODY_BYTES", ge=1024, description="size of a request, at most")
    ready_stall_seconds: float = Field(
        5.0, alias="READY_STALL_SECONDS", gt=0.5, description="not ready where the engine has not turned for so long"
    )
    shutdown_seconds: int = Field(
        8, alias="SHUTDOWN_SECONDS", ge=0, description="after SIGTERM running answers get so long to finish"
    )
    torch_threads: int | None = Field(
        None,
        alias="TORCH_THREADS",
        ge=1,
        description="CPU threads of the model; without it torch decides, and the tiny model gets one",
    )
    enable_faults: bool = Field(
        False, alias="INFERENCE_FAULTS", description="serve /admin/faults, which breaks this service on demand"
    )
    otel_sdk_disabled: bool = Field(False, alias="OTEL_SDK_DISABLED", description="measure nothing, serve no /metrics")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", alias="INFERENCE_LOG_LEVEL", description="debug, info, warning or error"
    )

    @field_validator("model")
    @classmethod
    def _exists(cls, model: str | None) -> str | None:
        looks_like_a_path = model is not None and (model.startswith((".", "/", "~")) or model.count("/") > 1)
        if model is None or not (looks_like_a_path or Path(model).is_dir()):
            return model
        directory = Path(model).expanduser()
        if not (directory / "config.json").is_file():
            raise ValueError("no such directory, or no model in it (config.json is missing)")
        return str(directory)

    @property
    def faults(self) -> list[tuple[FaultKind, Strength]]:
        """What INFERENCE_FAULT_<NAME> switches on from the start; nothing where faults are not enabled."""
        return from_environment(os.environ) if self.enable_faults else []

    @property
    def model_name(self) -> str:
        """The one model name in the API and in metrics: as set, else the last part of the model's path."""
        if self.served_model_name:
            return self.served_model_name
        if self.model is None:
            return "inferwatch-tiny"
        return Path(self.model).name if Path(self.model).is_dir() else self.model


def read(arguments: Sequence[str]) -> Settings:
    """The settings from flags and environment. Exits 0 after --help and 2 on an unknown flag.

    Raises:
        InvalidSettingsError: Naming every wrong variable, one line each.
    """
    given = {name: value for name, value in vars(_parser().parse_args(arguments)).items() if value is not None}
    try:
        settings = Settings(**given)
        _ = settings.faults
        return settings
    except InvalidFaultError as error:
        raise InvalidSettingsError(str(error)) from None
    except ValidationError as error:
        raise InvalidSettingsError("\n".join(_line(dict(problem)) for problem in error.errors())) from None


def flag(name: str) -> str:
    """The command-line flag of a field."""
    return "--" + name.replace("_", "-")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m inference",
        description="The reference inference service: OpenAI's completions API over a small batching engine.",
        epilog="Each setting can also be given in the environment, by the name in brackets; flags win.",
    )
    for name, field in Settings.model_fields.items():
        parser.add_argument(flag(name), **_argument(name, field))
    return parser


def _argument(name: str, field: FieldInfo) -> Mapping[str, Any]:
    default = "" if field.default is None else f", default {field.default}"
    text = f"{field.description} [{field.alias}{default}]".replace("%", "%%")
    if field.annotation is bool:
        return {"dest": field.alias, "help": text, "action": "store_const", "const": "true"}
    return {"dest": field.alias, "help": text, "metavar": name.rsplit("_", 1)[-1].upper()}


def _line(problem: Mapping[str, Any]) -> str:
    alias = str(problem["loc"][0])
    name = next(name for name, field in Settings.model_fields.items() if field.alias == alias)
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{alias} ({flag(name)}): {message} (got {problem['input']!r})"
