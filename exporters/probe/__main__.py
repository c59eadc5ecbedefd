"""The command: `python -m exporters.probe --config-file probe.yaml`."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

from exporters.probe.collector import ProbeCollector
from exporters.probe.completion import PROMPT
from exporters.probe.config import Config, ConfigError, load
from exporters.probe.golden import GoldenAnswers
from exporters.probe.judging import Judge
from exporters.probe.loop import Prober
from exporters.probe.server import PagesServer

_LOG = logging.getLogger("exporters.probe")
_EXAMPLE = """\
the configuration file:
  interval: 5              # seconds from one attempt to the next, for each target
  timeout: 4               # seconds that an attempt may take; below interval
  max_tokens: 4            # tokens asked for: what an attempt costs
  targets:
    - name: chat-1         # label target
      service: chat        # label target_service
      url: http://127.0.0.1:8000
      model: my-model      # optional; default: the first that GET /v1/models lists
      api_key_file: key    # optional; relative to this file
      golden: " Paris"     # optional: how a right answer begins, exactly; default: learned
      check_answers: true  # false where greedy answers vary by design

A target's answer is compared with its golden one: what it answered twice in a row at first, for each model
and version. Golden answers are kept in the state file. To accept new ones, delete that file and send SIGHUP.

SIGHUP reads both files again (a bad one is logged, the old one stays in use); SIGTERM ends with status 0.
"""


def main() -> NoReturn:
    """Start the probe; end with 0 on SIGTERM, with 2 where settings or the configuration cannot be used."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every request
    try:
        prober = Prober(*_settings(arguments))
    except ConfigError as error:
        sys.exit(_refuse(str(error)))
    try:
        server = PagesServer(arguments.listen_address, ProbeCollector(prober), prober.late)
    except OSError as error:
        host, port = arguments.listen_address
        sys.exit(_refuse(f"cannot listen on {host}:{port} ({error}); choose another --listen-address"))
    _LOG.info("serving %s/metrics for %d targets", server.url, len(prober.config.targets))
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    asyncio.run(_probe(prober, arguments))


def _settings(arguments: argparse.Namespace) -> tuple[Config, Judge]:
    """What the files say.

    Raises:
        ConfigError: One of them cannot be used.
    """
    config = load(arguments.config_file)
    return config, Judge(GoldenAnswers(arguments.state_file, PROMPT, config.max_tokens))


async def _probe(prober: Prober, arguments: argparse.Namespace) -> NoReturn:
    """Attempt for ever; start anew at SIGHUP."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, _end)
    loop.add_signal_handler(signal.SIGINT, _end)
    hangup = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, hangup.set)
    while True:
        attempts = asyncio.create_task(prober.run())
        await _until_usable_hangup(attempts, hangup, prober, arguments)


async def _until_usable_hangup(
    attempts: asyncio.Task[None], hangup: asyncio.Event, prober: Prober, arguments: argparse.Namespace
) -> None:
    """Return once a new configuration has been adopted; attempts under the old one are cut off."""
    while True:
        asked = asyncio.create_task(hangup.wait())
        await asyncio.wait((asked, attempts), return_when=asyncio.FIRST_COMPLETED)
        if attempts.done():
            attempts.result()  # only a defect of ours ends them: let it end the process, visibly
        hangup.clear()
        try:
            config, judge = _settings(arguments)
        except ConfigError as error:
            _LOG.error("configuration not read again, the old one stays in use: %s", error)
            continue
        attempts.cancel()
        await asyncio.wait((attempts,))
        prober.adopt(config, judge)
        _LOG.info("configuration read again: %d targets", len(config.targets))
        return


def _end() -> None:
    """Leave at once: golden answers are stored when learned, and a hanging name look-up would delay an orderly end."""
    logging.shutdown()
    os._exit(0)


def _arguments() -> argparse.Namespace:
    """The command line, with the environment's defaults."""
    parser = argparse.ArgumentParser(
        prog="python -m exporters.probe",
        description="Asks OpenAI-compatible services for a short streamed completion, again and again, "
        "and exposes to Prometheus whether it arrived whole and how long it took.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config-file",
        type=Path,
        default=os.environ.get("PROBE_CONFIG_FILE"),
        help="YAML file with the targets (environment: PROBE_CONFIG_FILE)",
    )
    parser.add_argument(
        "--state-file",
        type=Path,
        default=os.environ.get("PROBE_STATE_FILE") or None,
        help="JSON file in which golden answers are kept; without one they are learned anew at each start "
        "(environment: PROBE_STATE_FILE)",
    )
    parser.add_argument(
        "--listen-address",
        type=_address,
        default=os.environ.get("PROBE_LISTEN_ADDRESS", "127.0.0.1:9837"),
        metavar="HOST:PORT",
        help="where to serve /metrics; port 0 takes a free one "
        "(environment: PROBE_LISTEN_ADDRESS; default: %(default)s)",
    )
    arguments = parser.parse_args()
    if arguments.config_file is None:
        parser.error("--config-file is required: name a YAML file with the targets, see --help")
    return arguments


def _address(text: str) -> tuple[str, int]:
    """HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, like 127.0.0.1:9837")
    return host, int(port)


def _refuse(message: str) -> int:
    """Say why on one line; the status of a usage error."""
    print(f"inferwatch probe: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
