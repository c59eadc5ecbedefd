"""Reading one GPU: what every NVML error means, and which call is asked before which."""

from dataclasses import fields, replace

import pynvml
import pytest

from exporters.gpu.devices import reading
from exporters.gpu.devices.codes import ERRORS, NOT_NOW, NOT_SUPPORTED
from exporters.gpu.devices.library import library_loads
from exporters.gpu.devices.nvml import Nvml
from exporters.gpu.devices.reading import DeviceError, DriverError, Memory
from exporters.gpu.devices.simulated import SimulatedLibrary
from exporters.gpu.devices.standin import DEVICE_CALLS
from exporters.gpu.simulator.machine import SimulatedMachine
from exporters.gpu.simulator.profiles import H200

CODES = {name: getattr(pynvml, name) for name in dir(pynvml) if name.startswith("NVML_ERROR_")}


@pytest.mark.parametrize("name", CODES)
def test_every_nvml_error_has_exactly_one_meaning(name):
    code = CODES[name]
    assert (code in NOT_SUPPORTED) + (code in NOT_NOW) + (code in ERRORS) == 1


@pytest.mark.parametrize("name", CODES)
def test_an_error_of_one_call_costs_one_value_or_raises_a_device_error(nvml, library, name):
    library.codes["nvmlDeviceGetMemoryInfo_v2"] = library.codes["nvmlDeviceGetMemoryInfo"] = CODES[name]
    gone = ("UNINITIALIZED", "ALREADY_INITIALIZED", "DRIVER_NOT_LOADED", "LIBRARY_NOT_FOUND")
    gone += ("LIB_RM_VERSION_MISMATCH", "GPU_IS_LOST", "GPU_NOT_FOUND", "RESET_REQUIRED")
    if name.removeprefix("NVML_ERROR_") in gone:
        with pytest.raises(DeviceError):
            nvml.read(0)
    else:
        found = nvml.read(0)
        assert found.memory == Memory()
        assert found.thermals.gpu_celsius == 32


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("GPU_IS_LOST", "DeviceLost"),
        ("GPU_NOT_FOUND", "DeviceLost"),
        ("RESET_REQUIRED", "DeviceNeedsReset"),
        ("NO_PERMISSION", "DeviceDenied"),
        ("UNKNOWN", "DeviceFailed"),
        ("NOT_SUPPORTED", "DeviceFailed"),
        ("DRIVER_NOT_LOADED", "DriverMissing"),
        ("LIB_RM_VERSION_MISMATCH", "DriverMismatch"),
        ("UNINITIALIZED", "DriverFailed"),
    ],
)
def test_a_gpu_without_a_handle_raises_what_the_driver_means(nvml, library, name, error):
    code = CODES[f"NVML_ERROR_{name}"]
    library.codes["nvmlDeviceGetHandleByIndex_v2"] = code
    with pytest.raises(getattr(reading, error), match=rf"GPU 1: nvmlDeviceGetHandleByIndex: .*code {code}"):
        nvml.read(1)


@pytest.mark.parametrize("code", ["NOT_SUPPORTED", "FUNCTION_NOT_FOUND", "NO_PERMISSION", "NO_DATA", "UNKNOWN"])
@pytest.mark.parametrize("name", sorted(DEVICE_CALLS.keys() - {"nvmlDeviceGetUUID"}))
def test_whatever_call_is_refused_the_gpu_is_still_up(nvml, library, name, code):
    nvml.read(0)
    whole = nvml.read(0)
    nvml.close()
    nvml.open()
    library.codes[name] = CODES[f"NVML_ERROR_{code}"]
    found = [nvml.read(0) for _ in range(3)][-1]
    lost = {field.name for field in fields(found) if getattr(found, field.name) != getattr(whole, field.name)}
    # One call answers for one subject, that of the fields for many.
    assert len(lost - {"activity"}) <= (9 if name == "nvmlDeviceGetFieldValues" else 1)


@pytest.mark.parametrize("name", ["nvmlDeviceGetFieldValues", "nvmlDeviceGetClockInfo", "nvmlGpmSampleGet"])
def test_a_gpu_that_is_lost_in_the_middle_of_a_reading_is_lost(nvml, library, name):
    library.codes[name] = pynvml.NVML_ERROR_GPU_IS_LOST
    with pytest.raises(reading.DeviceLost, match="code 15") as raised:
        nvml.read(0)
    assert raised.value.code == 15


@pytest.mark.parametrize("name", CODES)
def test_whatever_stops_nvml_from_starting_is_a_driver_error(library, name):
    library.codes["nvmlInitWithFlags"] = CODES[name]
    driver = Nvml(library)
    with pytest.raises(DriverError, match="nvmlInit"):
        driver.open()
    driver.close()


def test_a_code_that_a_newer_driver_adds_costs_one_value(nvml, library):
    library.codes["nvmlDeviceGetUtilizationRates"] = 77
    assert nvml.read(0).utilization.gpu_ratio is None


@pytest.mark.skipif(library_loads(), reason="this machine has NVIDIA's driver library")
def test_a_missing_library_is_a_missing_driver():
    driver = Nvml()
    with pytest.raises(reading.DriverMissing, match="LibraryNotFound"):
        driver.open()
    driver.close()


def test_an_unsupported_call_is_not_asked_again(nvml, library):
    nvml.read(0)
    library.calls.clear()
    assert nvml.read(0).thermals.slowdown_celsius == 89
    assert "nvmlDeviceGetTemperatureThreshold" not in library.calls


def test_an_unsupported_call_is_asked_again_once_the_driver_was_reopened(nvml, library):
    nvml.read(0)
    nvml.close()
    nvml.open()
    library.calls.clear()
    nvml.read(0)
    assert library.calls.count("nvmlDeviceGetTemperatureThreshold") == 2


def test_a_value_that_is_missing_now_is_asked_for_again(nvml, library):
    library.codes["nvmlDeviceGetUtilizationRates"] = pynvml.NVML_ERROR_NO_DATA
    assert nvml.read(0).utilization.gpu_ratio is None
    del library.codes["nvmlDeviceGetUtilizationRates"]
    assert nvml.read(0).utilization.gpu_ratio == 0


def test_a_gpu_whose_every_sensor_fails_is_not_up(nvml, library):
    for name in DEVICE_CALLS.keys() - {"nvmlDeviceGetUUID"}:
        library.codes[name] = pynvml.NVML_ERROR_UNKNOWN
    with pytest.raises(reading.DeviceFailed, match="code 999"):
        nvml.read(0)


def test_deprecated_calls_are_asked_only_where_the_new_ones_do_not_exist(nvml, library):
    nvml.read(0)
    assert "nvmlDeviceGetTemperature" not in library.calls
    library.codes["nvmlDeviceGetTemperatureV"] = pynvml.NVML_ERROR_FUNCTION_NOT_FOUND
    assert nvml.read(0).thermals.gpu_celsius == 32
    assert "nvmlDeviceGetTemperature" in library.calls


def test_memory_comes_lumped_from_a_driver_that_cannot_tell_reserved_apart(nvml, library):
    library.codes["nvmlDeviceGetMemoryInfo_v2"] = pynvml.NVML_ERROR_FUNCTION_NOT_FOUND
    assert nvml.read(0).memory == Memory(150754820096, 648019968, 150106800128, None)


def test_power_falls_back_to_the_average_where_there_are_no_fields(nvml, library):
    library.codes["nvmlDeviceGetFieldValues"] = pynvml.NVML_ERROR_NOT_SUPPORTED
    found = nvml.read(0)
    assert found.power.draw_watts == 74.0
    assert found.thermals.memory_celsius is None


def test_thresholds_in_degrees_do_not_wobble_with_the_temperature(nvml, machine):
    assert nvml.read(0).thermals.shutdown_celsius == 92
    machine.change(0, {"temperature_celsius": 95})
    found = nvml.read(0).thermals
    assert (found.shutdown_celsius, found.slowdown_celsius, found.margin_celsius) == (92, 89, -6)


def older_card(*unsupported):
    card = replace(H200, unsupported=frozenset({"nvmlDeviceGetMarginTemperature", *unsupported}))
    machine = SimulatedMachine(card, 1)
    machine.change(0, {"temperature_celsius": 80})
    return Nvml(SimulatedLibrary(machine))


def test_margin_comes_from_the_threshold_where_the_card_reports_no_distance():
    driver = older_card()
    driver.open()
    found = driver.read(0).thermals
    driver.close()
    assert (found.slowdown_celsius, found.margin_celsius) == (89, 9)


def test_there_is_no_margin_where_the_card_reports_neither_distance_nor_threshold():
    driver = older_card("nvmlDeviceGetTemperatureThreshold")
    driver.open()
    found = driver.read(0).thermals
    driver.close()
    assert (found.gpu_celsius, found.slowdown_celsius, found.margin_celsius) == (80, None, None)


def test_identity_is_what_the_driver_says(nvml):
    found = nvml.read(1).identity
    assert (found.index, found.name, found.pci_bus_id) == (1, "NVIDIA H200", "00000000:19:00.0")
    assert (found.driver_version, found.cuda_version) == ("590.48.01", "13.1")
    assert found.uuid.startswith("GPU-")
