"""Puts the service together from its settings and runs it."""

import logging
import signal
import socket
import time
from collections.abc import Callable
from importlib.metadata import version

import limits
import uvicorn

from inference.api.app import Entrance, create_app
from inference.api.audit import AuditLog
from inference.api.bounding import punctual
from inference.api.keys import KeyFile
from inference.api.service import Service
from inference.disturbing import FaultyEngine
from inference.engine.engine import Engine, Limits
from inference.engine.models import ModelSource, load
from inference.faults import Faults
from inference.settings import Settings
from inference.telemetry.ended import Dropped, Silence, Telemetry
from inference.telemetry.lines import log_request
from inference.telemetry.tally import Steps

_log = logging.getLogger(__name__)


def serve(settings: Settings, listening: socket.socket, lines_dropped: Dropped = dict) -> bool:
    """Serve on a bound socket until a signal comes; whether its engine was alive to the end.

    Args:
        settings: All of them.
        listening: The socket.
        lines_dropped: Reads how many log lines were lost on their way to a collector.
    """
    failed = False

    def give_up() -> None:
        nonlocal failed
        failed = True
        server.should_exit = True

    service = assemble(settings, give_up, lines_dropped)
    audit = AuditLog(settings.audit_log, settings.audit_log_days) if settings.audit_log else None
    config = uvicorn.Config(
        create_app(service, _entrance(settings, audit)),
        http=punctual(settings.reader_timeout_seconds),
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    server = uvicorn.Server(config)
    # uvicorn raises the signal again once it has shut down; the default would then end us with an error code.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    host, port = listening.getsockname()[:2]
    _log.info("serving %s on http://%s:%d", settings.model_name, f"[{host}]" if ":" in host else host, port)
    server.run(sockets=[listening])
    service.telemetry.close(settings.telemetry_flush_seconds)
    if audit:
        audit.close()
    return not failed


def assemble(settings: Settings, on_give_up: Callable[[], None], lines_dropped: Dropped) -> Service:
    """The parts of the service, not yet started."""
    faults = Faults()
    for kind, strength in settings.faults:
        faults.switch_on(kind, strength.ratio, strength.seconds, strength.count)
    source = ModelSource(
        settings.model, settings.model_cache, settings.max_batch_size, settings.max_context, settings.torch_threads
    )
    steps = Steps()
    engine = Engine(
        lambda: load(source),
        Limits(
            settings.max_batch_size,
            settings.queue_limit,
            settings.queue_timeout_seconds,
            settings.request_timeout_seconds,
            settings.kv_cache_tokens,
        ),
        FaultyEngine(faults),
        on_give_up,
        steps.add,
    )
    return Service(
        model_name=settings.model_name,
        engine=engine,
        telemetry=_telemetry(settings, engine, steps, lines_dropped),
        faults=faults,
        faults_enabled=settings.enable_faults,
        created=int(time.time()),
        default_max_tokens=settings.default_max_tokens,
        max_prompt_tokens=settings.max_prompt_tokens,
        ready_stall_seconds=settings.ready_stall_seconds,
    )


def _entrance(settings: Settings, audit: AuditLog | None) -> Entrance:
    return Entrance(
        max_body_bytes=settings.max_body_bytes,
        client_seconds=settings.reader_timeout_seconds,
        keys=KeyFile(settings.api_keys_file) if settings.api_keys_file else None,
        rate=limits.parse(settings.rate_limit) if settings.rate_limit else None,
        cors_origins=settings.cors_origins,
        ended=(log_request, audit.write) if audit else (log_request,),
    )


def _telemetry(settings: Settings, engine: Engine, steps: Steps, lines_dropped: Dropped) -> Telemetry:
    if settings.otel_sdk_disabled:
        return Silence()
    # Late: switched off, it must not even be imported.
    from inference.telemetry.recorder import About, Recorder

    about = About(settings.model_name, version("inferwatch"), settings.config_hash, settings.gpu_uuids)
    return Recorder(about, engine.snapshot, steps, settings.otel_exporter_otlp_endpoint, lines_dropped)
