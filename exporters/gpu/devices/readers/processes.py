"""Who uses the GPU: processes, and the memory that the driver ascribes to each."""

from dataclasses import dataclass
from typing import Any

from exporters.gpu.devices.asking import Gpu, Refused, first
from exporters.gpu.devices.codes import Code

_KINDS = ("Compute", "Graphics", "MPSCompute")
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Process:
    """One process that holds a context on this GPU."""

    pid: int
    """As this process's PID namespace counts."""
    name: str
    """File name of its program, never its arguments; empty where we may not know."""
    memory_bytes: int | None
    """None where the driver does not say."""
    alive: bool


@dataclass(frozen=True, slots=True)
class Processes:
    """All processes on this GPU."""

    listed: tuple[Process, ...] | None = None
    """By pid; None where the driver lists none, as for a guest of a virtual GPU."""
    complete: bool = False
    """Whether processes of other containers are listed too, and every one with its memory."""


def read(gpu: Gpu) -> Processes:
    """By nvmlDeviceGetComputeRunningProcesses_v3 and its kin for graphics and MPS; `nvidia-smi pmon`."""
    lists = [_listed(gpu, kind) for kind in _KINDS]
    if all(one is None for one in lists):
        return Processes()
    memory: dict[int, int | None] = {}
    for entry in (entry for one in lists for entry in one or ()):
        # A process that computes and draws is on both lists with the same memory.
        memory[entry.pid] = max(memory.get(entry.pid) or 0, entry.usedGpuMemory or 0) or entry.usedGpuMemory
    listed = tuple(_process(gpu, pid, held) for pid, held in sorted(memory.items()))
    told = all(one.memory_bytes is not None for one in listed)
    return Processes(listed, gpu.library.sees_all_processes and told)


def _listed(gpu: Gpu, kind: str) -> list[Any] | None:
    return first(
        lambda: gpu.ask(f"nvmlDeviceGet{kind}RunningProcesses_v3"),
        lambda: gpu.ask(f"nvmlDeviceGet{kind}RunningProcesses_v2"),
    )


def _process(gpu: Gpu, pid: int, held: int | None) -> Process:
    try:
        path = str(gpu.library.invoke("nvmlSystemGetProcessName", pid))
    except Refused as refused:
        return Process(pid, "", held, alive=refused.code != Code.NOT_FOUND)
    except UnicodeDecodeError:
        return Process(pid, "", held, alive=True)
    return Process(pid, _program(path), held, alive=True)


def _program(path: str) -> str:
    # Some drivers answer with the whole command line, whose arguments are nobody's business.
    words = path.split()
    return words[0].rpartition("/")[2][:_LONGEST_NAME] if words else ""
