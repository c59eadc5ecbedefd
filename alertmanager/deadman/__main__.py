"""`python -m alertmanager.deadman`: pages when the alerting's heartbeat stops."""

import logging
import signal
import sys
import threading

from alertmanager.address import Address, listen
from alertmanager.deadman.delivery import Courier
from alertmanager.deadman.metrics import WatchCollector
from alertmanager.deadman.server import HeartbeatServer
from alertmanager.deadman.settings import Settings, read
from alertmanager.deadman.watch import Watch
from alertmanager.deadman.words import notice


def main(arguments: list[str] | None = None) -> int:
    """Watch until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs URLs, and a Slack webhook's URL is a secret
    settings = read(arguments)
    try:
        listening = listen(settings.listen_address)
    except OSError as error:
        print(f"python -m alertmanager.deadman: {error}; name another one by --listen-address", file=sys.stderr)
        return 1
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watch, couriers = Watch(settings.timeout), [Courier(channel) for channel in settings.channels]
    server = HeartbeatServer(listening, watch.beat, WatchCollector(watch, couriers))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"deadman: heartbeats to http://{Address(*listening.getsockname()[:2])}/heartbeat", flush=True)
    _watch(watch, couriers, settings, stop)
    return 0


def _watch(watch: Watch, couriers: list[Courier], settings: Settings, stop: threading.Event) -> None:
    """Hand every change to every channel; looks ten times in a timeout, so that a page is hardly late."""
    while not stop.wait(min(1.0, settings.timeout / 10)):
        change = watch.check()
        if change is not None:
            for courier in couriers:
                courier.post(notice(change, settings.runbook_url))
    for courier in couriers:
        if courier.waiting:
            logging.getLogger("deadman").error(
                "ends with %d notices that %s did not take", courier.waiting, courier.name
            )


if __name__ == "__main__":
    sys.exit(main())
