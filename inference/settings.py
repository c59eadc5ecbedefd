"""Every setting of the service, once: flags, environment names, help and the README's table come from here."""

import argparse
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from inference.faults import FaultKind, InvalidFaultError, Strength, from_environment
from inference.kinds import GpuUuids, KeysPath, LogFile, ModelPlace, Origins, Rate, Url, is_loopback

_WHERE = frozenset({"host", "port", "gpu_uuids"})
"""Settings that say where the service is, not what it does."""


class InvalidSettingsError(Exception):
    """Some settings are wrong; one line for each."""


class Settings(BaseSettings):
    """Read from the environment; flags win."""

    # populate_by_name stays off: it would let plain HOST and PORT of the environment in.
    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    host: str = Field("127.0.0.1", alias="INFERENCE_HOST", description="address to listen on")
    port: int = Field(8000, alias="INFERENCE_PORT", ge=0, le=65535, description="port to listen on; 0 for a free one")
    model: ModelPlace | None = Field(
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
    max_prompt_tokens: int | None = Field(
        None, alias="MAX_PROMPT_TOKENS", ge=1, description="tokens of a prompt, at most; without it the context's limit"
    )
    api_keys_file: KeysPath | None = Field(
        None,
        alias="API_KEYS_FILE",
        description="file of name:key lines, one of which a client must show; read again when it changes; "
        "may be left out only on a loopback address",
    )
    allow_anonymous: bool = Field(
        False, alias="ALLOW_ANONYMOUS", description="serve without API keys on any address; something else guards it"
    )
    rate_limit: Rate | None = Field(
        None,
        alias="RATE_LIMIT",
        description="requests for text in a time, for instance 60/minute, for each API key, "
        "or for each address where there are no keys",
    )
    cors_origins: Origins = Field(
        (), alias="CORS_ORIGINS", description="origins whose web pages may call, with commas; by default none"
    )
    audit_log: LogFile | None = Field(
        None, alias="AUDIT_LOG", description="file for one line a request: who and when, never what was said"
    )
    audit_log_days: int = Field(
        30,
        alias="AUDIT_LOG_DAYS",
        ge=1,
        le=3650,
        description="the audit log begins anew each day; those of so many days before stay",
    )
    reader_timeout_seconds: float = Field(
        60.0,
        alias="READER_TIMEOUT_SECONDS",
        gt=0,
        description="a client that has not taken what it was sent after so long is taken for gone; "
        "one whose request is not whole by then gets 408",
    )
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
        le=1024,
        description="CPU threads of the model; without it torch decides, and the tiny model gets one",
    )
    enable_faults: bool = Field(
        False, alias="INFERENCE_FAULTS", description="serve /admin/faults, which breaks this service on demand"
    )
    gpu_uuids: GpuUuids = Field(
        (),
        alias="GPU_UUIDS",
        description="UUIDs of the GPUs that the engine computes on, with commas; alerts tie engine and GPU by them",
    )
    otel_exporter_otlp_endpoint: Url | None = Field(
        None,
        alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="OTLP/HTTP collector that gets the traces, for instance http://127.0.0.1:4318; without it none are "
        "sent; OpenTelemetry's other variables hold as well",
    )
    otel_logs_exporter: Literal["none", "otlp"] = Field(
        "none",
        alias="OTEL_LOGS_EXPORTER",
        description="otlp sends log lines to OTEL_EXPORTER_OTLP_ENDPOINT too, beside stderr; none does not",
    )
    telemetry_flush_seconds: float = Field(
        2.0,
        alias="TELEMETRY_FLUSH_SECONDS",
        ge=0,
        le=30,
        description="at the end the last traces get so long to leave, and then the last log lines",
    )
    otel_sdk_disabled: bool = Field(False, alias="OTEL_SDK_DISABLED", description="measure nothing, serve no /metrics")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", alias="INFERENCE_LOG_LEVEL", description="debug, info, warning or error"
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", alias="INFERENCE_LOG_FORMAT", description="json, text, or auto: text on a terminal, json elsewhere"
    )

    @model_validator(mode="after")
    def _has_what_goes_with_it(self) -> Self:
        missing = {}
        if not (self.api_keys_file or self.allow_anonymous or is_loopback(self.host)):
            missing["API_KEYS_FILE"] = (
                f"a file of name:key lines is needed, as {self.host} is no loopback address; "
                "or set ALLOW_ANONYMOUS=1 where something else keeps strangers out"
            )
        if self.otel_logs_exporter == "otlp" and not self.otel_exporter_otlp_endpoint:
            missing["OTEL_EXPORTER_OTLP_ENDPOINT"] = (
                "needed where OTEL_LOGS_EXPORTER is otlp: the collector that takes the log lines"
            )
        if missing:
            raise PydanticCustomError("missing_too", "settings are missing", {"missing": missing})
        return self

    @property
    def config_hash(self) -> str:
        """Of every setting that says what the service does; 12 hexadecimal digits."""
        return hashlib.sha256(self.model_dump_json(exclude=set(_WHERE)).encode()).hexdigest()[:12]

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
        return Path(self.model).resolve().name if Path(self.model).is_dir() else self.model


def read(arguments: Sequence[str]) -> Settings:
    """The settings from flags and environment. Exits 0 after --help and 2 on an unknown flag.

    Raises:
        InvalidSettingsError: Naming every wrong variable, one line each; what is missing beside others is known only
            where those are right.
    """
    given = {name: value for name, value in vars(_parser().parse_args(arguments)).items() if value is not None}
    lines: list[str] = []
    try:
        settings = Settings(**given)
        enabled = settings.enable_faults
    except ValidationError as error:
        lines += [line for problem in error.errors() for line in _lines(dict(problem))]
        enabled = any(said.get("INFERENCE_FAULTS") for said in (given, os.environ))
    try:
        if enabled:
            from_environment(os.environ)
    except InvalidFaultError as error:
        lines.append(str(error))
    if lines:
        raise InvalidSettingsError("\n".join(lines))
    return settings


def flag(name: str) -> str:
    """The command-line flag of a field."""
    return "--" + name.replace("_", "-")


def shown_default(field: FieldInfo) -> str:
    """A field's default as one would write it; empty where there is none."""
    if field.default is None or field.default == ():
        return ""
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m inference",
        usage="%(prog)s [options]",
        description="The reference inference service: OpenAI's completions API over a small batching engine.",
        epilog="Each setting can also be given in the environment, by the name in brackets; flags win.",
    )
    for name, field in Settings.model_fields.items():
        parser.add_argument(flag(name), **_argument(name, field))
    return parser


def _argument(name: str, field: FieldInfo) -> Mapping[str, Any]:
    default = f", default {shown}" if (shown := shown_default(field)) else ""
    text = f"{field.description} [{field.alias}{default}]".replace("%", "%%")
    if field.annotation is bool:
        return {"dest": field.alias, "help": text, "action": "store_const", "const": "true"}
    return {"dest": field.alias, "help": text, "metavar": name.rsplit("_", 1)[-1].upper()}


def _lines(problem: Mapping[str, Any]) -> list[str]:
    # What concerns several settings is told at those that are missing.
    if not problem["loc"]:
        return [_line(alias, message) for alias, message in problem["ctx"]["missing"].items()]
    message = str(problem["msg"]).removeprefix("Value error, ")
    return [_line(str(problem["loc"][0]), f"{message} (got {problem['input']!r})")]


def _line(alias: str, message: str) -> str:
    name = next(name for name, field in Settings.model_fields.items() if field.alias == alias)
    return f"{alias} ({flag(name)}): {message}"
