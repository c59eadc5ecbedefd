"""One service with three doors: all telemetry on, none, and FastAPI's automatic instrumentation; one engine behind all.

Takes the service's arguments. Prints one line, the doors' addresses as JSON, and serves until SIGTERM.
"""

import asyncio
import json
import logging
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace

import uvicorn
from fastapi import FastAPI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from inference.api.app import Entrance, create_app
from inference.api.audit import AuditLog
from inference.serving import assemble
from inference.settings import Settings, read
from inference.telemetry.ended import Silence
from inference.telemetry.lines import log_request
from inference.telemetry.logs import LogThread

OFF, ON, AUTOMATIC = "off", "all on", "FastAPI's automatic"


def doors(settings: Settings) -> dict[str, FastAPI]:
    """The doors; the first one starts and stops the engine."""
    assert settings.audit_log
    service = assemble(settings, lambda: None, dict)
    silent = replace(service, telemetry=Silence())
    told = (log_request, AuditLog(settings.audit_log, settings.audit_log_days).write)
    closed = Entrance(settings.max_body_bytes, settings.reader_timeout_seconds)
    automatic = create_app(silent, closed)
    provider = TracerProvider()
    exporter = OTLPSpanExporter(f"{settings.otel_exporter_otlp_endpoint}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    FastAPIInstrumentor().instrument_app(automatic, tracer_provider=provider)
    return {
        ON: create_app(service, replace(closed, ended=told)),
        OFF: create_app(silent, closed),
        AUTOMATIC: automatic,
    }


async def serve(apps: Sequence[FastAPI], sockets: Sequence[socket.socket]) -> None:
    """Serve each application on its socket. A signal ends the last server, which raises it for the one before."""
    servers = [
        uvicorn.Server(
            uvicorn.Config(
                app, log_config=None, log_level="warning", access_log=False, lifespan="off" if later else "on"
            )
        )
        for later, app in enumerate(apps)
    ]
    await asyncio.gather(*(server.serve([door]) for server, door in zip(servers, sockets, strict=True)))


def main() -> None:
    logging.basicConfig(level="INFO", handlers=[LogThread("json", sys.stderr).handler])
    apps = doors(read(sys.argv[1:]))
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in apps]
    for each in sockets:
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as the service itself does
    urls = [f"http://127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    print(json.dumps(dict(zip(apps, urls, strict=True))), flush=True)
    asyncio.run(serve(tuple(apps.values()), sockets))


if __name__ == "__main__":
    main()
