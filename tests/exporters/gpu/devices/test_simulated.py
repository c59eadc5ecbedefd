"""The stand-in for NVIDIA's library, called through pynvml."""

import threading
import time
from dataclasses import replace

import pynvml
import pytest

from exporters.gpu.devices.codes import Code, Field
from exporters.gpu.devices.nvml import Nvml
from exporters.gpu.devices.reading import DeviceLost, DriverMismatch, DriverMissing
from exporters.gpu.devices.simulated import SimulatedLibrary
from exporters.gpu.simulator.machine import SimulatedMachine
from exporters.gpu.simulator.profiles import H200


@pytest.mark.parametrize("code", Code)
def test_return_codes_are_those_of_nvml(code):
    assert code == getattr(pynvml, "NVML_SUCCESS" if code is Code.SUCCESS else f"NVML_ERROR_{code.name}")


@pytest.mark.parametrize("field", Field)
def test_field_ids_are_those_of_nvml(field):
    assert field == getattr(pynvml, f"NVML_FI_DEV_{field.name}")


def test_pynvml_reads_what_the_machine_shows(nvml, machine):
    machine.change(0, {"temperature_celsius": 61.4, "power_watts": 512.25, "memory_used_bytes": 2**36})
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2)
    assert pynvml.nvmlDeviceGetTemperatureV(handle, 0) == 61
    assert pynvml.nvmlDeviceGetPowerUsage(handle) == 512250
    assert (memory.total, memory.used) == (143771 * 2**20, 2**36)
    assert memory.free == memory.total - memory.used - memory.reserved


def test_an_unknown_field_fails_in_its_own_slot(nvml):
    values = pynvml.nvmlDeviceGetFieldValues(pynvml.nvmlDeviceGetHandleByIndex(0), [186, 9999])
    assert [value.nvmlReturn for value in values] == [0, pynvml.NVML_ERROR_NOT_SUPPORTED]


def test_a_function_that_is_not_simulated_does_not_exist(nvml):
    with pytest.raises(pynvml.NVMLError_FunctionNotFound):
        pynvml.nvmlDeviceGetFanSpeed(pynvml.nvmlDeviceGetHandleByIndex(0))


def test_an_error_of_the_simulated_driver_can_be_printed(nvml):
    assert str(pynvml.NVMLError(77)) == "simulated driver: code 77"


def test_a_function_that_the_card_lacks_is_not_supported(clock):
    card = replace(H200, unsupported=frozenset({"nvmlDeviceGetUtilizationRates"}))
    driver = Nvml(SimulatedLibrary(SimulatedMachine(card, 1, clock=clock)))
    driver.open()
    found = driver.read(0)
    driver.close()
    assert found.utilization.gpu_ratio is None
    assert found.thermals.slowdown_celsius == 89


def test_a_lost_gpu_is_lost_and_its_neighbour_is_not(nvml, machine):
    machine.change(0, {"state": "lost"})
    with pytest.raises(DeviceLost):
        nvml.read(0)
    assert nvml.read(1).thermals.gpu_celsius == 32


@pytest.mark.parametrize(("state", "error"), [("not_loaded", DriverMissing), ("mismatch", DriverMismatch)])
def test_a_broken_driver_answers_nothing(nvml, machine, state, error):
    machine.set_driver(state)
    with pytest.raises(error):
        nvml.gpu_count()
    with pytest.raises(error):
        nvml.read(0)


def test_a_hanging_gpu_returns_once_it_hangs_no_more(nvml, machine):
    machine.change(0, {"state": "hang"})
    answered = []
    thread = threading.Thread(target=lambda: answered.append(nvml.read(0)))
    thread.start()
    time.sleep(0.1)
    assert not answered
    machine.change(0, {"state": None})
    thread.join(5)
    assert answered[0].thermals.gpu_celsius == 32
