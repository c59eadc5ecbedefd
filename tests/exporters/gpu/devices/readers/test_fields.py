"""Values that come as fields: in few calls, with the older call where a field does not exist."""

import ctypes
from dataclasses import replace

import pynvml
import pytest

from exporters.gpu.devices.codes import Field
from exporters.gpu.simulator.profiles import H200, L40S, RTX

NO_FIELDS = {"nvmlDeviceGetFieldValues": pynvml.NVML_ERROR_FUNCTION_NOT_FOUND}


def without(profile, *fields):
    return replace(profile, unsupported_fields=profile.unsupported_fields | set(fields))


def test_all_fields_of_a_gpu_take_two_calls(nvml, library):
    nvml.read(0)
    library.calls.clear()
    nvml.read(0)
    assert library.calls.count("nvmlDeviceGetFieldValues") == 2


def test_a_reading_of_an_h200_takes_at_most_30_calls_and_never_the_one_that_blocks(nvml, library):
    for _ in range(3):
        library.calls.clear()
        nvml.read(0)
    assert len(library.calls) <= 30
    assert "nvmlDeviceGetPcieThroughput" not in library.calls


def test_what_does_not_change_is_asked_once(nvml, library):
    nvml.read(0)
    library.calls.clear()
    assert nvml.read(0).clocks.max_hertz["memory"] == 3.201e9
    assert "nvmlDeviceGetMaxClockInfo" not in library.calls
    assert "nvmlDeviceGetName" not in library.calls


def test_a_driver_without_fields_still_says_what_its_calls_say(nvml, library, machine):
    machine.change(0, {"ecc_uncorrected": 3, "remap_pending": True})
    library.codes |= NO_FIELDS
    found = nvml.read(0)
    assert (found.power.default_limit_watts, found.power.min_limit_watts, found.power.max_limit_watts) == (
        700,
        200,
        700,
    )
    assert (found.ecc.corrected, found.ecc.uncorrected, found.ecc.lifetime_uncorrected) == (0, 3, 3)
    assert (found.rows.uncorrected, found.rows.pending, found.rows.failed) == (1, True, False)
    assert found.pcie.replays == 0
    assert (found.rows.recovery_action, found.throttling.seconds, found.nvlink.up) == (None, {}, {})


@pytest.mark.parametrize("profile", [L40S, RTX], ids=lambda profile: profile.name)
def test_a_card_without_nvlink_is_asked_for_each_link_once(open_card, library, profile):
    asked = []

    def wrap(simulated):
        class Counting:
            def __getattr__(self, name):
                if name == "nvmlDeviceGetFieldValues":
                    return lambda handle, count, out: (
                        asked.append(count.value),
                        simulated.nvmlDeviceGetFieldValues(handle, count, out),
                    )[1]
                return getattr(simulated, name)

        return Counting()

    driver, _ = open_card(profile, wrap)
    driver.read(0)
    first = sum(asked)
    asked.clear()
    assert driver.read(0).nvlink.up == {}
    assert first - sum(asked) >= 4 * 18


def test_links_that_are_down_are_named_and_their_recoveries_counted(nvml, machine):
    machine.change(0, {"nvlink_down": (3, 17)})
    found = nvml.read(0).nvlink
    assert [link for link, up in found.up.items() if not up] == [3, 17]
    assert len(found.up) == 18
    assert found.errors == {"replay": 0, "recovery": 2, "crc": 0}
    assert found.link_errors[(17, "recovery")] == 1


def test_nvlink_5_counts_in_fields_of_its_own(open_card):
    links_5 = H200.unsupported_fields - {"NVLINK_COUNT_*"} | {"NVLINK_THROUGHPUT_*", "NVLINK_ERROR_*"}
    driver, machine = open_card(replace(H200, unsupported_fields=links_5))
    machine.change(0, {"nvlink_down": (5,)})
    found = driver.read(0).nvlink
    assert found.errors == {"receive": 0, "recovery": 1, "effective": 0}
    assert found.link_errors == {}
    assert found.transmitted_bytes == found.received_bytes > 1e12


def test_nvlink_throughput_is_turned_from_kibibytes_into_bytes(open_card):
    driver, machine = open_card(H200)
    counted = machine.observe(0).counts.nvlink_bytes
    assert driver.read(0).nvlink.transmitted_bytes == pytest.approx(counted, abs=1024)


def test_a_byte_counter_of_32_bits_is_no_byte_counter(open_card):
    def wrap(simulated):
        class Narrow:
            def __getattr__(self, name):
                return _narrowed(simulated) if name == "nvmlDeviceGetFieldValues" else getattr(simulated, name)

        return Narrow()

    driver, _ = open_card(H200, wrap)
    found = driver.read(0).pcie
    assert (found.transmitted_bytes, found.received_bytes) == (None, None)
    assert found.errors["correctable"] == 0


def _narrowed(simulated):
    def call(handle, count, out):
        code = simulated.nvmlDeviceGetFieldValues(handle, count, out)
        for entry in out._obj:
            if entry.fieldId in (Field.PCIE_COUNT_TX_BYTES, Field.PCIE_COUNT_RX_BYTES):
                entry.valueType = pynvml.NVML_VALUE_TYPE_UNSIGNED_INT
        return code

    return call


@pytest.mark.parametrize(
    ("kind", "member", "value"),
    [
        (pynvml.NVML_VALUE_TYPE_DOUBLE, "dVal", 0.5),
        (pynvml.NVML_VALUE_TYPE_UNSIGNED_INT, "uiVal", 2**32 - 1),
        (pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG, "ulVal", 2**40),
        (pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG, "ullVal", 2**50),
        (pynvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG, "sllVal", -5),
        (pynvml.NVML_VALUE_TYPE_SIGNED_INT, "siVal", -6),
        (pynvml.NVML_VALUE_TYPE_UNSIGNED_SHORT, "usVal", 7),
        (99, "ullVal", None),
    ],
)
def test_a_field_is_read_as_the_type_that_the_driver_names(open_card, kind, member, value):
    def wrap(simulated):
        class Typed:
            def __getattr__(self, name):
                return fill if name == "nvmlDeviceGetFieldValues" else getattr(simulated, name)

        def fill(handle, count, out):
            for entry in out._obj:
                ctypes.memset(ctypes.byref(entry.value), 0xEE, ctypes.sizeof(entry.value))
                entry.nvmlReturn, entry.valueType = 0, kind
                setattr(entry.value, member, value or 0)
            return 0

        return Typed()

    driver, _ = open_card(H200, wrap)
    assert driver.read(0).thermals.memory_celsius == value


@pytest.mark.parametrize("fields", [("ECC_*",), ("REMAPPED_*", "GET_GPU_*")])
def test_fields_that_a_card_lacks_are_asked_for_elsewhere_or_absent(open_card, fields):
    driver, _ = open_card(without(H200, *fields))
    found = driver.read(0)
    assert (found.ecc.uncorrected, found.rows.uncorrected) == (0, 0)
    assert found.ecc.enabled is (None if "ECC_*" in fields else True)
