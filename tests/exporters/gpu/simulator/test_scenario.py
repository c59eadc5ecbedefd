"""Timetables of faults."""

import json
import time
from pathlib import Path

import pytest

from exporters.gpu.simulator import scenario
from exporters.gpu.simulator.scenario import Player, ScenarioError, Step

EVERY_FAULT = Path(scenario.__file__).parent / "every_fault.json"


def read(tmp_path, machine, steps):
    file = tmp_path / "scenario.json"
    file.write_text(steps if isinstance(steps, str) else json.dumps(steps))
    return scenario.read(file, machine)


def step(at, path, **body):
    return {"at_seconds": at, "path": path, "body": body}


def test_steps_are_played_in_the_order_of_their_times(tmp_path, machine):
    steps = [step(0.05, "/simulator/driver", state="mismatch"), step(0, "/simulator/gpus/1", state="lost")]
    player = Player(machine, read(tmp_path, machine, steps))
    player.start()
    deadline = time.monotonic() + 5
    while machine.driver != "mismatch":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert machine.observe(1).state == "lost"
    player.stop()


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ("{", "is not JSON"),
        ("{}", "is not a list of steps"),
        ([{"at_seconds": 1}], "step 1: is not an object of at_seconds, path and body"),
        ([step(-1, "/simulator/driver", state="ok")], "step 1: at_seconds is not a number from 0"),
        ([step(0, "/simulator/driver", state="ok"), step(0, "/simulator/gpus/9", state="ok")], "step 2: no GPU '9'"),
        ([step(0, "/simulator/gpus/0", state="broken")], 'state: "broken" is not one of: ok, lost, hang'),
        ([step(0, "/metrics", state="ok")], "takes no PATCH"),
    ],
)
def test_a_wrong_scenario_is_refused_before_anything_is_played(tmp_path, machine, steps, says):
    with pytest.raises(ScenarioError, match=says):
        read(tmp_path, machine, steps)
    assert (machine.driver, machine.observe(0).state) == ("ok", "ok")


def test_a_file_that_is_missing_is_refused(tmp_path, machine):
    with pytest.raises(ScenarioError, match="cannot read"):
        scenario.read(tmp_path / "nothing", machine)


def test_the_scenario_that_comes_along_has_every_fault_and_mends_it(machine):
    steps = scenario.read(EVERY_FAULT, machine)
    fields = {name for one in steps for name in json.loads(one.body)}
    faults = {"state", "xid", "ecc_uncorrected", "throttle", "remap_pending", "remap_failure", "nvlink_down"}
    faults |= {"sram_worn", "recovery_action", "nvlink_errors_per_second", "pcie_lanes", "pcie_replays_per_second"}
    assert faults | {"unsupported", "temperature_celsius"} <= fields
    for one in steps:
        assert isinstance(one, Step)
        scenario.control.answer(machine, "PATCH", one.path, one.body)
    assert machine.driver == "ok"
    assert [machine.observe(index).state for index in (0, 1)] == ["ok", "ok"]
    assert machine.observe(0).unsupported == ()
