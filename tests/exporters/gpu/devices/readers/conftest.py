"""A driver over simulated cards that a test makes to measure."""

import pytest

from exporters.gpu.devices.nvml import Nvml
from exporters.gpu.devices.simulated import SimulatedLibrary
from exporters.gpu.simulator.gpu import Load
from exporters.gpu.simulator.machine import SimulatedMachine


@pytest.fixture
def open_card(clock):
    """Opens a driver over one busy card of a profile; hands back the driver and the machine."""
    opened = []

    def open_card(profile, wrap=lambda library: library, extras=()):
        machine = SimulatedMachine(profile, 1, clock=clock)
        machine.set_load(Load(requests_running=4, tokens_per_second=120, model_loaded=True))
        clock.now += 60
        driver = Nvml(wrap(SimulatedLibrary(machine)), extras, clock=clock)
        driver.open()
        opened.append(driver)
        return driver, machine

    yield open_card
    for driver in opened:
        driver.close()
