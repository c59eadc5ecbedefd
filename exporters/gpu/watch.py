"""The parts that watch, put together as the settings say: reader, XID watcher, kernel log, who uses the GPUs."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from exporters.gpu.attribution.attributor import Attributor
from exporters.gpu.attribution.kubelet import Kubelet
from exporters.gpu.collection import Collection, Cost
from exporters.gpu.collector import Collector
from exporters.gpu.inventory import Inventory
from exporters.gpu.isolation.process import Serve, start
from exporters.gpu.isolation.reader import ChildReader
from exporters.gpu.settings import Settings
from exporters.gpu.simulator.machine import SimulatedMachine
from exporters.gpu.simulator.remote import serve
from exporters.gpu.xid.kernel_log import KernelLog
from exporters.gpu.xid.tally import Tally
from exporters.gpu.xid.watcher import XidWatcher

_KERNEL_LOG = Path("/dev/kmsg")
_PROC = Path("/proc")
_QUARANTINE_INTERVALS = 2
_SILENT_TIMEOUTS = 5


class Watch:
    """Everything that hears of the GPUs.

    Args:
        settings: What the user wants.
        machine: The simulated GPUs; None where they are real.

    Raises:
        InventoryError: The expected GPUs cannot be read or kept.
    """

    def __init__(self, settings: Settings, machine: SimulatedMachine | None) -> None:
        answer: Serve | None = None if machine is None else partial(serve, machine)
        call_seconds = settings.simulated_call_seconds
        self._tally = Tally()
        self._reader = ChildReader(
            partial(start, "read", answer, call_seconds, settings.extra_collectors),
            settings.call_timeout,
            settings.collection_interval,
        )
        self.collector = Collector(
            self._reader.sweep,
            Inventory(settings.expected_gpus, settings.state_file),
            _QUARANTINE_INTERVALS * settings.collection_interval,
        )
        self._watcher = XidWatcher(
            partial(start, "watch", answer, call_seconds),
            self.collector.answering,
            self._tally,
            _SILENT_TIMEOUTS * settings.call_timeout,
        )
        log = settings.kernel_log
        if log == "auto":
            log = _KERNEL_LOG if machine is None else None
        self._kernel_log = None if log is None else KernelLog(log, self._tally)
        self._kubelet = None if settings.kubelet_socket is None else Kubelet(settings.kubelet_socket)
        # The pids of simulated processes are other programs' here.
        proc = _PROC if machine is None else None
        self._attributor = Attributor(self._kubelet, proc, settings.slurm_job_directory)

    def start(self) -> None:
        """Begin to hear of errors. Collections are another's to make."""
        self._watcher.start()
        if self._kernel_log is not None:
            self._kernel_log.start()
        if self._kubelet is not None:
            self._kubelet.start()

    def stop(self) -> None:
        """End every process and thread that was started here."""
        self._watcher.stop()
        if self._kernel_log is not None:
            self._kernel_log.stop()
        if self._kubelet is not None:
            self._kubelet.stop()
        self._reader.close()

    def complete(self, collection: Collection) -> Collection:
        """Add the errors heard of, what the watching took, and who uses the GPUs."""
        reader = self._reader.cost()
        cost = Cost(
            restarts=(("reader", reader.restarts), ("watcher", max(0, self._watcher.starts - 1))),
            kills=(("reader", reader.kills), ("watcher", self._watcher.kills)),
            abandoned=reader.abandoned + self._watcher.abandoned(),
        )
        usages = self._attributor.usages(collection.readings)
        return replace(collection, errors=self._tally.errors(), cost=cost, usages=usages)
