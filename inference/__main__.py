"""`python -m inference`: reads the settings, serves until SIGTERM or SIGINT.

Exits 0 after a signal, 1 where the model cannot be loaded or the port is taken, 2 on wrong settings.
"""

import logging
import os
import socket
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from inference.settings import InvalidSettingsError, Settings, read

if TYPE_CHECKING:
    from inference.telemetry.shipping import LogShipping

_LOG_SECONDS = 2.0
"""At the end the last log lines get so long to be written."""


def main() -> int:
    """Run the service; the exit code."""
    try:
        settings = read(sys.argv[1:])
    except InvalidSettingsError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        listening = _listen(settings.host, settings.port)
    except OSError as error:
        print(f"cannot listen: {error.strerror}; set INFERENCE_HOST and INFERENCE_PORT", file=sys.stderr)
        return 1
    # Late: torch takes seconds to import, which --help and a wrong setting need not wait for.
    from inference.serving import serve
    from inference.telemetry.logs import LogThread

    shipping = _shipping(settings)
    logs = LogThread(settings.log_format, sys.stderr, shipping.handler if shipping else None)
    logging.basicConfig(level=settings.log_level.upper(), handlers=[logs.handler])
    code = 0 if serve(settings, listening, shipping.dropped if shipping else dict) else 1
    written = logs.close(_LOG_SECONDS)
    sent = shipping is None or shipping.close(settings.telemetry_flush_seconds)
    if not written:
        # Nobody reads our stderr; the interpreter's own end would wait for whoever does.
        os._exit(code)
    if not sent:
        print("the collector did not take the last log lines in time; above they are whole", file=sys.stderr)
    return code


def _shipping(settings: Settings) -> "LogShipping | None":
    if settings.otel_logs_exporter == "none" or not settings.otel_exporter_otlp_endpoint or settings.otel_sdk_disabled:
        return None
    # Late: OpenTelemetry's part for logs is not stable; whoever does not ask for it need not have it.
    from inference.telemetry.shipping import LogShipping

    return LogShipping(settings.otel_exporter_otlp_endpoint, version("inferwatch"))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=1024)
    # asyncio sets this only where it opened the socket itself. Connections inherit it; without it, answers after the
    # first one on a connection wait 40 ms for the client's acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


if __name__ == "__main__":
    sys.exit(main())
