"""The program of a child: `python -m exporters.gpu.isolation.child ROLE NUMBERS...`. Started by the exporter only.

The only process that loads NVML. Imports no more than it needs: it is there once to read and once to watch,
on every GPU node.
"""

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection

from exporters.gpu.devices.errors import DeviceError, DriverError
from exporters.gpu.devices.events import XidEvents
from exporters.gpu.devices.nvml import Nvml
from exporters.gpu.isolation.progress import Progress
from exporters.gpu.sweep import Done, sweep

LOG = logging.getLogger("exporters.gpu.child")

_HEARTBEAT_SECONDS = 2.0
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def main() -> int:
    """Do what the role says until the exporter is gone; 0 then, 1 where the driver has to be opened anew."""
    role, *numbers, call_seconds, extras = sys.argv[1:]
    connection_fd, progress_fd, machine_fd, parent = (int(number) for number in numbers)
    _end_with(parent)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    connection, progress = Connection(connection_fd), Progress(progress_fd)
    nvml = Nvml(_library(machine_fd, float(call_seconds)), extras.split(","), progress.call)
    try:
        return ROLES[role](nvml, connection, progress)
    except (EOFError, OSError):
        return 0


def read(nvml: Nvml, connection: Connection, progress: Progress) -> int:
    """Answer each set of indices to leave alone with the findings of one sweep."""
    while True:
        skip: frozenset[int] = connection.recv()
        try:
            for finding in sweep(nvml, skip, progress.enter):
                connection.send(finding)
        except DriverError as error:
            # Some of these heal only in a new process: the old library stays loaded in this one.
            connection.send(error)
            return 1
        progress.enter(None)
        connection.send(Done())


def watch(nvml: Nvml, connection: Connection, progress: Progress) -> int:
    """Send every XID as it comes, and None at least every two seconds, until the event set dies.

    Listens to the GPUs whose indices it is sent, at first and whenever there are more of them.
    """
    try:
        wanted: frozenset[int] = connection.recv()
        nvml.open()
        events = nvml.xid_events()
        while True:
            for index in wanted:
                progress.enter(index)
                _listen(events, index)
            progress.enter(None)
            if wanted:
                connection.send(None)
            connection.send(events.wait(_HEARTBEAT_SECONDS))
            wanted = connection.recv() if connection.poll() else frozenset()
    except DeviceError as error:
        connection.send(error)
    return 1


def _listen(events: XidEvents, index: int) -> None:
    try:
        if not events.listen(index):
            LOG.warning("GPU %d reports no XIDs to NVML", index)
    except DriverError:
        raise
    except DeviceError as error:
        LOG.warning("XIDs of this GPU stay unknown: %s", error)


ROLES: dict[str, Callable[[Nvml, Connection, Progress], int]] = {"read": read, "watch": watch}


def _library(machine_fd: int, call_seconds: float) -> object | None:
    """What stands in for NVIDIA's library; None loads the real one."""
    if machine_fd < 0:
        return None
    # A real GPU node never loads the simulation.
    from exporters.gpu.devices.simulated import SimulatedLibrary
    from exporters.gpu.simulator.remote import RemoteMachine

    return SimulatedLibrary(RemoteMachine(Connection(machine_fd)), call_seconds)


def _end_with(parent: int) -> None:
    """Leave SIGINT to the exporter, and do not outlive it, not even inside a call that never returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
