"""The control API, from request to answer."""

import json

import pytest

from exporters.gpu.simulator.control import answer

GPU_0 = "/simulator/gpus/0"


def patch(machine, path, body):
    found = answer(machine, "PATCH", path, body if isinstance(body, bytes) else json.dumps(body).encode())
    return found.status, found.body


def test_gpus_are_listed_with_exactly_the_fields_of_the_contract(machine):
    found = answer(machine, "GET", "/simulator/gpus", b"")
    assert found.status == 200
    assert [gpu["index"] for gpu in found.body] == [0, 1]
    assert set(found.body[0]) == {
        "index",
        "uuid",
        "name",
        "temperature_celsius",
        "utilization_ratio",
        "memory_used_bytes",
        "power_watts",
        "state",
    }


def test_any_subset_can_be_set_and_comes_back(machine):
    status, gpu = patch(machine, GPU_0, {"temperature_celsius": 95, "power_watts": 690.5, "memory_used_bytes": 7})
    assert status == 200
    assert (gpu["temperature_celsius"], gpu["power_watts"], gpu["memory_used_bytes"]) == (95, 690.5, 7)
    assert machine.observe(1).temperature_celsius < 40


def test_null_gives_a_field_back(machine):
    patch(machine, GPU_0, {"temperature_celsius": 95, "state": "lost"})
    status, gpu = patch(machine, GPU_0, {"temperature_celsius": None, "state": None})
    assert (status, gpu["state"]) == (200, "ok")
    assert gpu["temperature_celsius"] < 40


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b'{"temperature_celsius": NaN}', 400, "NaN is not a number"),
        (b'{"temperature_celsius": 1e999}', 400, "a number from -40 to 150"),
        (b"[]", 400, "not a JSON object"),
        ({"temperature": 95}, 400, "unknown field 'temperature'; there are: temperature_celsius"),
        ({"temperature_celsius": "95"}, 400, "a number from -40 to 150"),
        ({"temperature_celsius": True}, 400, "a number from -40 to 150"),
        ({"temperature_celsius": 151}, 400, "a number from -40 to 150"),
        ({"utilization_ratio": 1.01}, 400, "a number from 0 to 1"),
        ({"memory_used_bytes": 1.5}, 400, "a whole number from 0 to"),
        ({"memory_used_bytes": 2**60}, 400, "a whole number from 0 to"),
        ({"power_watts": -1}, 400, "a number from 0 to 2000"),
        ({"state": "broken"}, 400, "one of: ok, lost, hang"),
        ({"state": ["ok"]}, 400, "one of: ok, lost, hang"),
        ({"uuid": "GPU-x"}, 400, "cannot be set"),
        ({"xid": 0}, 400, "a whole number from 1 to 999"),
        ({"xid": 79.5}, 400, "a whole number from 1 to 999"),
        ({"ecc_uncorrected": -1}, 400, "a whole number from 0 to"),
        ({"throttle": "hw_thermal"}, 400, "a list of: gpu_idle"),
        ({"throttle": ["heat"]}, 400, "a list of: gpu_idle"),
        ({"remap_failure": 1}, 400, "true or false"),
        ({"sram_worn": 1}, 400, "true or false"),
        ({"recovery_action": 8}, 400, "a whole number from 0 to 7"),
        ({"recovery_action": True}, 400, "a whole number from 0 to 7"),
        ({"nvlink_errors_per_second": -1}, 400, "a number from 0 to 10000"),
        ({"pcie_replays_per_second": "5"}, 400, "a number from 0 to 10000"),
        ({"pcie_lanes": 0}, 400, "a whole number from 1 to 16"),
        ({"pcie_lanes": 17}, 400, "a whole number from 1 to 16"),
        ({"nvlink_down": [18]}, 400, "a list of whole numbers from 0 to 17"),
        ({"unsupported": ["exit"]}, 400, "a list of NVML function names"),
    ],
)
def test_a_wrong_body_is_refused_and_says_what_would_be_right(machine, body, status, says):
    found, message = patch(machine, GPU_0, body)
    assert found == status
    assert says in message["error"]


def test_a_body_that_is_wrong_in_part_changes_nothing(machine):
    patch(machine, GPU_0, {"temperature_celsius": 95, "state": "broken"})
    assert machine.observe(0).temperature_celsius < 40


@pytest.mark.parametrize("index", ["2", "-1", "x", "0x0", "1e0", "9999999999", "\u0660", ""])
def test_a_gpu_that_does_not_exist_is_not_found(machine, index):
    assert patch(machine, f"/simulator/gpus/{index}", {})[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PATCH", "/simulator/gpus", "GET"), ("GET", GPU_0, "PATCH"), ("PUT", "/simulator/driver", "GET, PATCH")],
)
def test_a_wrong_method_names_the_right_one(machine, method, path, allowed):
    found = answer(machine, method, path, b"{}")
    assert (found.status, found.allow) == (405, allowed)


def test_the_driver_can_be_broken_and_mended(machine):
    assert patch(machine, "/simulator/driver", {"state": "mismatch"}) == (200, {"state": "mismatch"})
    assert answer(machine, "GET", "/simulator/driver", b"").body == {"state": "mismatch"}
    assert patch(machine, "/simulator/driver", {"state": None}) == (200, {"state": "ok"})


@pytest.mark.parametrize("body", [{"state": "gone"}, {"state": 1}, {"status": "ok"}, []])
def test_a_wrong_driver_state_is_refused(machine, body):
    assert patch(machine, "/simulator/driver", body)[0] == 400
    assert machine.driver == "ok"


def test_faults_of_every_kind_are_taken_and_given_back(machine):
    faults = {"ecc_uncorrected": 2, "throttle": ["hw_thermal"], "remap_pending": True, "remap_failure": True}
    faults |= {"nvlink_down": [3, 4], "unsupported": ["nvmlDeviceGetPowerUsage"]}
    assert patch(machine, GPU_0, faults)[0] == 200
    sick = machine.observe(0)
    assert (sick.ecc_uncorrected, sick.throttle, sick.nvlink_down) == (2, ("hw_thermal",), (3, 4))
    assert (sick.remap_pending, sick.remap_failure, sick.unsupported) == (True, True, ("nvmlDeviceGetPowerUsage",))
    assert patch(machine, GPU_0, dict.fromkeys(faults))[0] == 200
    assert machine.observe(0).throttle == ("gpu_idle",)
    assert machine.observe(0).ecc_uncorrected == 0


def test_an_xid_is_reported_once_and_in_order(machine):
    patch(machine, GPU_0, {"xid": 79})
    patch(machine, "/simulator/gpus/1", {"xid": 31, "temperature_celsius": 60})
    assert [(event.index, event.xid) for event in machine.events_after(0, 0)] == [(0, 79), (1, 31)]
    assert machine.events_after(machine.event_count(), 0) == ()
