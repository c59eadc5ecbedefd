"""What hardly changes is asked every 30 seconds, and what that costs in truth is bounded and told."""

import re
from dataclasses import replace
from pathlib import Path

import pynvml
import pytest

from exporters.catalogue import gpu, gpu_health, gpu_use
from exporters.gpu.devices.reading import DeviceFailed
from exporters.gpu.devices.standin import DEVICE_CALLS, identity
from exporters.gpu.simulator.profiles import RTX

RULES = Path(__file__).parents[5] / "alerts" / "generated"

SELDOM = {
    "nvmlDeviceGetEnforcedPowerLimit",
    "nvmlDeviceGetPersistenceMode",
    "nvmlDeviceGetCurrPcieLinkGeneration",
    "nvmlDeviceGetMigMode",
    "nvmlDeviceGetGpuFabricInfoV",
}
EVERY_TIME = {
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetFieldValues",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetUtilizationRates",
    "nvmlDeviceGetTemperatureV",
    "nvmlDeviceGetMarginTemperature",
    "nvmlDeviceGetClockInfo",
    "nvmlDeviceGetPerformanceState",
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetSramEccErrorStatus",
    "nvmlDeviceGetCurrPcieLinkWidth",
    "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceGetGraphicsRunningProcesses_v3",
    "nvmlDeviceGetMPSComputeRunningProcesses_v3",
    "nvmlGpmSampleGet",
    "nvmlGpmMetricsGet",
}
ONCE_MORE = {"nvmlGpmSampleAlloc"}
"""The second of two samples."""


def calls_of_a_reading(nvml, library):
    library.calls.clear()
    nvml.read(0)
    return library.calls[:]


def test_a_reading_asks_what_alerts_wait_for_and_every_30_seconds_the_rest(nvml, library, clock):
    nvml.read(0)
    assert set(calls_of_a_reading(nvml, library)) - ONCE_MORE == EVERY_TIME
    clock.now += 29.9
    assert set(calls_of_a_reading(nvml, library)) == EVERY_TIME
    clock.now += 0.1
    assert set(calls_of_a_reading(nvml, library)) == EVERY_TIME | SELDOM
    assert set(calls_of_a_reading(nvml, library)) == EVERY_TIME


def test_a_reading_of_an_h200_costs_19_calls(nvml, library):
    nvml.read(0)
    nvml.read(0)
    assert len(calls_of_a_reading(nvml, library)) == 19


def test_what_follows_the_performance_state_follows_it_at_once(open_card):
    driver, machine = open_card(RTX)
    machine.change(0, {"utilization_ratio": 0.0})
    idle = driver.read(0)
    machine.change(0, {"utilization_ratio": 1.0})
    busy = driver.read(0)
    assert (idle.clocks.performance_state, busy.clocks.performance_state) == (8, 0)
    assert (idle.pcie.generation, busy.pcie.generation) == (1, 4)


def test_a_power_limit_that_is_set_shows_within_30_seconds(nvml, machine, clock):
    assert nvml.read(0).power.limit_watts == 700
    machine.profile = replace(machine.profile, power_limit_watts=500)
    clock.now += 29.9
    assert nvml.read(0).power.limit_watts == 700
    clock.now += 0.1
    assert nvml.read(0).power.limit_watts == 500


@pytest.mark.parametrize("answered_before", [True, False])
def test_what_the_driver_or_we_remember_does_not_hide_that_every_sensor_fails(nvml, library, answered_before):
    if answered_before:
        nvml.read(0)
    for name in DEVICE_CALLS.keys() - identity.CALLS.keys():
        library.codes[name] = pynvml.NVML_ERROR_UNKNOWN
    with pytest.raises(DeviceFailed, match="code 999"):
        nvml.read(0)


def test_no_rule_reads_what_is_asked_seldom():
    seldom = {one.name for one in (*gpu.METRICS, *gpu_health.METRICS, *gpu_use.METRICS) if "30 s old" in one.help}
    assert seldom == {
        "gpu_power_limit_watts",
        "gpu_clock_hertz",
        "gpu_persistence_enabled",
        "gpu_pcie_link_generation",
        "gpu_mig_enabled",
        "gpu_fabric_state",
        "gpu_fabric_error_code",
        "gpu_fabric_complaint",
    }
    rules = "".join(path.read_text() for path in RULES.glob("*.yml"))
    assert "gpu_pcie_link_lanes" in rules
    assert not [name for name in seldom if re.search(rf"\b{name}\b", rules)]
