"""`python -m exporters.gpu`: put the parts together, run until a signal, leave with a clear exit status."""

import gc
import logging
import os
import sys
import threading
from functools import partial

from exporters.gpu.collectors import chosen
from exporters.gpu.devices.library import library_loads
from exporters.gpu.ending import Ending, end_anyway, leave
from exporters.gpu.inventory import InventoryError
from exporters.gpu.page import render
from exporters.gpu.scrape import ScrapeLoop
from exporters.gpu.server import ExporterServer
from exporters.gpu.settings import Settings, parse
from exporters.gpu.simulator.load import LoadWatcher
from exporters.gpu.simulator.machine import SimulatedMachine
from exporters.gpu.simulator.profiles import PROFILES
from exporters.gpu.simulator.scenario import Player, ScenarioError, read
from exporters.gpu.watch import Watch

LOG = logging.getLogger("exporters.gpu")

_SWITCH_SECONDS = 0.0005
"""How long a thread that renders may keep a scrape waiting each time that the scrape has to take turns with it."""
_SERVER_LOOKS_UP_SECONDS = 60.0
"""How often the server sees whether it is to end: never, for it ends with the process."""


def main() -> int:
    """Run the exporter; returns its exit status, which `--help` explains."""
    settings = parse(sys.argv[1:], os.environ)
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    sys.setswitchinterval(_SWITCH_SECONDS)
    ending = Ending()
    ending.listen()
    source = _source(settings)
    machine = SimulatedMachine(PROFILES[settings.simulated_profile], settings.gpus) if source == "simulated" else None
    try:
        watch = Watch(settings, machine)
        drivers = [] if machine is None else _drivers(settings, machine)
    except (InventoryError, ScenarioError) as error:
        print(f"gpu exporter: {error}", file=sys.stderr)
        return 2
    draw = partial(render, source, subjects=chosen(settings.extra_collectors))
    loop = ScrapeLoop(draw, watch.collector, settings.collection_interval, ending.tell, watch.complete)
    try:
        server = ExporterServer(settings.listen_address, loop, source, machine)
    except OSError as error:
        where = f"{settings.listen_address.host}:{settings.listen_address.port}"
        print(f"gpu exporter: cannot listen on {where}: {error.strerror}; set --listen-address", file=sys.stderr)
        return 2
    for driver in drivers:
        driver.start()
    return _serve(server, loop, watch, ending)


def _source(settings: Settings) -> str:
    if settings.source != "auto":
        return settings.source
    if library_loads():
        return "nvml"
    LOG.warning("no NVIDIA driver library here: GPUs are simulated; --source nvml waits for a driver instead")
    return "simulated"


def _drivers(settings: Settings, machine: SimulatedMachine) -> list[LoadWatcher | Player]:
    """What moves the simulated GPUs."""
    found: list[LoadWatcher | Player] = [LoadWatcher(settings.simulated_load_url, machine.set_load)]
    if settings.simulated_scenario is not None:
        found.append(Player(machine, read(settings.simulated_scenario, machine)))
    return found


def _serve(server: ExporterServer, loop: ScrapeLoop, watch: Watch, ending: Ending) -> int:
    loop.start()
    watch.start()
    threading.Thread(target=server.serve_forever, args=(_SERVER_LOOKS_UP_SECONDS,), name="serve", daemon=True).start()
    # What is loaded stays: it need not be looked through for garbage at every collection.
    gc.freeze()
    LOG.info("serving %s GPUs on %s/metrics", server.source, server.url)
    ending.wait()
    # A process that collects no more is of use to nobody: leave, so that it is started again.
    status = 0 if loop.alive() else 1
    end_anyway(status)
    LOG.info("stopping: %s", "the collection loop died" if status else "asked to")
    # Scrapes are answered until the process ends.
    loop.stop(timeout_seconds=0.5)
    watch.stop()
    return status


if __name__ == "__main__":
    leave(main())
