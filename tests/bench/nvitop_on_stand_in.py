"""nvitop-exporter on our simulated driver: `python tests/bench/nvitop_on_stand_in.py GPUS CALL_SECONDS ARGUMENTS...`.

It calls pynvml, as we do, so that the stand-in below pynvml serves both. Three calls that only nvitop makes are
added here, or it would be spared their cost. On a real card the one for PCIe throughput also blocks for 20 ms.
The machine is seen through a picture, as our own reader sees it, so that nvitop does not pay for the simulation of
sensors at every call where we do not.
"""

import sys
from multiprocessing import Pipe

import pynvml
from nvitop_exporter.cli import main

from exporters.gpu.devices.simulated import SimulatedLibrary
from exporters.gpu.simulator.gpu import Load
from exporters.gpu.simulator.machine import SimulatedMachine
from exporters.gpu.simulator.profiles import H200
from exporters.gpu.simulator.remote import RemoteMachine, serve


class Stand(SimulatedLibrary):
    """The stand-in, with the calls that only nvitop makes."""

    def _resolve(self, name):
        return EXTRA[name] if name in EXTRA else super()._resolve(name)


def power_management_limit(handle, out):
    out._obj.value = 700_000
    return 0


def pcie_throughput(handle, counter, out):
    out._obj.value = 1000
    return 0


def process_utilization(handle, out, count, since):
    count._obj.value = 0
    return 6  # NOT_FOUND: no process has run since


EXTRA = {
    "nvmlDeviceGetPowerManagementLimit": power_management_limit,
    "nvmlDeviceGetPcieThroughput": pcie_throughput,
    "nvmlDeviceGetProcessUtilization": process_utilization,
}

gpus, call_seconds = int(sys.argv[1]), float(sys.argv[2])
machine = SimulatedMachine(H200, gpus)
machine.set_load(Load(requests_running=4, tokens_per_second=120, model_loaded=True))
here, there = Pipe()
serve(machine, there)
pynvml.nvmlLib = Stand(RemoteMachine(here), call_seconds)
sys.argv[1:3] = []
sys.exit(main())
