"""How simulated GPUs behave under load, and what can be set on them."""

import pytest

from exporters.gpu.simulator.gpu import IDLE, Load
from exporters.gpu.simulator.machine import SimulatedMachine
from exporters.gpu.simulator.profiles import H200

BUSY = Load(requests_running=16, tokens_per_second=2000, model_loaded=True)


def after(machine, clock, seconds, load):
    machine.set_load(load)
    clock.now += seconds
    return machine.observe(0)


def test_an_idle_h200_is_cool_and_draws_little(machine, clock):
    found = after(machine, clock, 300, IDLE)
    assert 70 < found.power_watts < 80
    assert 30 < found.temperature_celsius < 35
    assert (found.utilization_ratio, found.memory_used_bytes) == (0, 0)


def test_a_busy_h200_settles_warm_and_hungry_below_its_limits(machine, clock):
    found = after(machine, clock, 300, BUSY)
    assert 0.9 < found.utilization_ratio <= 1
    assert 550 < found.power_watts < 640
    assert 60 < found.temperature_celsius < 70
    assert found.memory_used_bytes > 70e9


def test_power_rises_in_seconds_and_heat_in_minutes(machine, clock):
    soon = after(machine, clock, 5, BUSY)
    later = after(machine, clock, 115, BUSY)
    assert soon.power_watts > 0.85 * later.power_watts
    assert soon.temperature_celsius < 45 < later.temperature_celsius


def test_heat_goes_when_the_load_does(machine, clock):
    after(machine, clock, 300, BUSY)
    assert after(machine, clock, 300, IDLE).temperature_celsius < 35


def test_energy_is_power_over_time(machine, clock):
    before = after(machine, clock, 0, IDLE)
    machine.change(0, {"power_watts": 500})
    clock.now += 100
    assert machine.observe(0).energy_joules - before.energy_joules == pytest.approx(50_000)


def test_what_it_shows_does_not_depend_on_how_often_it_is_asked(clock):
    often, once = (SimulatedMachine(H200, 1, clock=clock) for _ in range(2))
    for machine in (often, once):
        machine.set_load(BUSY)
    for _ in range(40):
        clock.now += 0.5
        often.observe(0)
    assert often.observe(0) == once.observe(0)


def test_seeds_tell_machines_apart_and_make_them_equal(clock):
    same = [SimulatedMachine(H200, 1, seed=7, clock=clock) for _ in range(2)]
    other = SimulatedMachine(H200, 1, seed=8, clock=clock)
    assert after(same[0], clock, 0, BUSY) == after(same[1], clock, 0, BUSY)
    assert same[0].observe(0).uuid != other.observe(0).uuid


def test_a_value_that_is_set_stays_and_a_value_given_back_moves_again(machine, clock):
    machine.change(0, {"temperature_celsius": 95.0, "utilization_ratio": 0.25})
    set_ = after(machine, clock, 60, BUSY)
    assert (set_.temperature_celsius, set_.utilization_ratio) == (95.0, 0.25)
    machine.change(0, {"temperature_celsius": None})
    back = machine.observe(0)
    assert 40 < back.temperature_celsius < 70
    assert back.utilization_ratio == 0.25


def test_a_long_sleep_does_not_take_long_to_catch_up(machine, clock):
    machine.set_load(BUSY)
    clock.now += 10 * 365 * 86400
    assert machine.observe(0).temperature_celsius > 60
