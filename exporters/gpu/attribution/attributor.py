"""All sources together: for each GPU who uses it, bounded."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from exporters.gpu.attribution import cgroup, slurm
from exporters.gpu.attribution.kubelet import Kubelet
from exporters.gpu.attribution.usage import Usage
from exporters.gpu.devices.reading import GpuReading

MOST_USAGES = 8
"""Of one GPU: more would be a page of labels, not an answer."""


@dataclass(frozen=True, slots=True)
class Attributor:
    """The sources that there are; None for one that is not to be used."""

    kubelet: Kubelet | None = None
    proc: Path | None = None
    """Where the kernel shows processes, if those that the driver lists are of this machine."""
    job_directory: Path | None = None

    def usages(self, readings: Iterable[GpuReading]) -> tuple[Usage, ...]:
        """Who uses each of these GPUs: the kubelet's and the scheduler's word, the cgroups' where neither has any."""
        readings = tuple(readings)
        by_kubelet = set(self._by_kubelet(readings))
        found: list[Usage] = []
        for reading in readings:
            uuid = reading.identity.uuid
            told = {one for one in by_kubelet if one.uuid == uuid} | set(self._by_jobs(reading))
            found += sorted(told or set(self._by_cgroup(reading)))[:MOST_USAGES]
        return tuple(found)

    def _by_kubelet(self, readings: tuple[GpuReading, ...]) -> Iterator[Usage]:
        places = dict(place for reading in readings for place in _places(reading))
        for holder in self.kubelet.holders() if self.kubelet else ():
            # A GPU that is shared by time slicing is handed out as UUID::0, UUID::1, ...
            place = places.get(holder.device_id.partition("::")[0])
            if place is not None:
                yield Usage(*place, "kubelet", holder.pod_namespace, holder.pod, holder.container)

    def _by_jobs(self, reading: GpuReading) -> Iterator[Usage]:
        if self.job_directory is None:
            return
        index, uuid = str(reading.identity.index), reading.identity.uuid
        for job in slurm.jobs(self.job_directory, index, uuid):
            yield Usage(uuid, "", "slurm", slurm_job=job)
        for instance in sorted({str(one.gpu_instance) for one in reading.mig.instances}):
            for job in slurm.jobs(self.job_directory, f"{index}.{instance}"):
                yield Usage(uuid, instance, "slurm", slurm_job=job)

    def _by_cgroup(self, reading: GpuReading) -> Iterator[Usage]:
        if self.proc is None:
            return
        for process in reading.processes.listed or ():
            found = cgroup.read(self.proc, process.pid)
            if found != cgroup.Membership():
                yield Usage(
                    reading.identity.uuid,
                    "",
                    "cgroup",
                    pod=found.pod_uid,
                    container=found.container_id,
                    slurm_job=found.slurm_job,
                )


def _places(reading: GpuReading) -> Iterator[tuple[str, tuple[str, str]]]:
    """Every name by which a device plugin may call this GPU or its parts, with uuid and GPU instance."""
    uuid, minor = reading.identity.uuid, reading.identity.minor_number
    yield uuid, (uuid, "")
    for one in reading.mig.instances:
        yield one.uuid, (uuid, str(one.gpu_instance))
    if minor is not None:
        yield f"nvidia{minor}", (uuid, "")
        for one in reading.mig.instances:
            yield f"nvidia{minor}/gi{one.gpu_instance}", (uuid, str(one.gpu_instance))
