"""Faults and their bounds, without a service around them."""

import threading
import time

import pytest

from inference.faults import ERROR, FAULTS, HANG, Faults


def test_names_are_those_of_the_contract():
    contract = "hang slow_steps error oom reject queue_stall stream_cut model_not_loaded wrong_model wrong_answers"
    assert {kind.name for kind in FAULTS} == {*contract.split(), "crash", "crash_loop", "memory_leak", "small_cache"}


def test_a_fault_that_is_off_never_strikes():
    assert not Faults().strikes(ERROR)


def test_a_count_is_used_up():
    faults = Faults()
    faults.switch_on(ERROR, count=2)
    assert [faults.strikes(ERROR) for _ in range(4)] == [True, True, False, False]
    assert faults.active() == []


def test_seconds_run_out():
    faults = Faults()
    faults.switch_on(ERROR, seconds=0.5)
    assert faults.strikes(ERROR)
    time.sleep(0.55)
    assert not faults.strikes(ERROR)


@pytest.mark.parametrize("seconds", [None, 1e12], ids=["for ever", "longer than a thread can wait"])
def test_a_waiting_thread_goes_on_when_the_fault_is_switched_off(seconds):
    faults = Faults()
    faults.switch_on(HANG, seconds=seconds)
    waiting = threading.Thread(target=faults.wait_while, args=(HANG,))
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    faults.clear()
    waiting.join(1)
    assert not waiting.is_alive()
