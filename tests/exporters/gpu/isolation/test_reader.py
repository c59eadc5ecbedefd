"""The watchdog: who is blamed, how long it waits, and what becomes of processes that do not end."""

import subprocess
import threading
from multiprocessing import Pipe

import pytest

from exporters.gpu.devices.errors import DriverError, DriverMismatch
from exporters.gpu.devices.reading import GpuReading, Identity
from exporters.gpu.isolation.backoff import Backoff
from exporters.gpu.isolation.process import Child
from exporters.gpu.isolation.progress import Progress
from exporters.gpu.isolation.reader import ChildReader
from exporters.gpu.sweep import Answered, DeviceHung, Done, DriverHung, Listed, Refused

TIMEOUT = 0.1


def answered(index):
    return Answered(GpuReading(Identity(index, f"GPU-{index}", "", "", "", "", "")), 0.01)


class Stuck:
    """A process inside a driver call that not even SIGKILL ends; `freed` ends it."""

    pid = 4_000_000

    def __init__(self):
        self.freed = False

    def poll(self):
        return 0 if self.freed else None

    def kill(self):
        pass

    def wait(self, timeout=None):
        if not self.freed:
            raise subprocess.TimeoutExpired("stuck", timeout)
        return -9


class Ended(Stuck):
    """A process that ends when it is told to."""

    def __init__(self):
        super().__init__()
        self.freed = True


class Children:
    """Starts children that follow a script: per request, what to do in turn."""

    def __init__(self, *scripts, process=Ended):
        self.scripts = list(scripts)
        self.processes = []
        self.skips = []
        self._process = process

    def start(self):
        ours, theirs = Pipe()
        number = Progress.create()
        progress, seen = Progress(number), Progress(number)
        self.processes.append(self._process())
        script = self.scripts.pop(0)
        threading.Thread(target=self._play, args=(script, theirs, progress), daemon=True).start()
        return Child(self.processes[-1], ours, seen)

    def _play(self, script, connection, progress):
        for step in script:
            if step == "request":
                self.skips.append(connection.recv())
                progress.enter(None)
            elif isinstance(step, int):
                progress.enter(step)
                progress.call("nvmlDeviceGetPowerUsage")
            elif step == "hang":
                threading.Event().wait(5)
            elif step == "die":
                connection.close()
                return
            else:
                connection.send(step)


def reader(children, **options):
    return ChildReader(children.start, TIMEOUT, pause_seconds=60, **options)


def sweep_until_error(found):
    seen = []
    with pytest.raises(DriverError) as raised:
        seen.extend(iter(lambda: next(found), None))
    return raised.value


def test_findings_come_as_the_child_sends_them():
    children = Children(["request", Listed(2), 0, answered(0), 1, answered(1), Done()])
    assert list(reader(children).sweep(frozenset())) == [Listed(2), answered(0), answered(1)]


def test_a_gpu_that_hangs_is_blamed_by_its_call_and_the_next_child_asks_the_rest():
    first = ["request", Listed(3), 0, answered(0), 1, answered(1), 2, answered(2), Done()]
    first += ["request", Listed(3), 0, answered(0), 1, "hang"]
    children = Children(first, ["request", Listed(3), 2, answered(2), Done()])
    watched = reader(children)
    list(watched.sweep(frozenset()))
    listed, zero, hung, two = watched.sweep(frozenset())
    assert (listed, zero, two) == (Listed(3), answered(0), answered(2))
    assert (hung.index, type(hung.error)) == (1, DeviceHung)
    assert "at nvmlDeviceGetPowerUsage" in str(hung.error)
    assert children.skips[-1] == {0, 1}
    assert (watched.cost().restarts, watched.cost().kills, watched.cost().abandoned) == (1, 1, 0)


def test_a_child_that_dies_costs_the_gpu_it_was_reading_and_is_no_kill():
    children = Children(
        ["request", Listed(2), 0, answered(0), 1, "die"],
        ["request", Listed(2), Done()],
    )
    watched = reader(children)
    assert [type(one) for one in watched.sweep(frozenset())] == [Listed, Answered, Refused]
    assert (watched.cost().restarts, watched.cost().kills) == (1, 0)


def test_a_driver_that_never_starts_is_given_up_after_five_times_the_timeout():
    watched = reader(Children(["request", "hang"]))
    assert isinstance(sweep_until_error(watched.sweep(frozenset())), DriverHung)


def test_two_gpus_that_hang_before_any_answers_are_a_driver_that_hangs():
    hang = ["request", Listed(8)]
    watched = reader(Children([*hang, 0, "hang"], [*hang, 1, "hang"]))
    found = watched.sweep(frozenset())
    assert isinstance(next(found), Listed)
    assert [next(found).index, next(found).index] == [0, 1]
    assert "no GPU answers" in str(sweep_until_error(found))


def test_after_a_driver_error_the_pause_is_kept_and_then_a_new_process_tries(clock):
    error = DriverMismatch("nvmlInit: code 18")
    children = Children(["request", error], ["request", Listed(0), Done()])
    watched = ChildReader(children.start, TIMEOUT, pause_seconds=5, clock=clock)
    for _ in range(3):
        assert str(sweep_until_error(watched.sweep(frozenset()))) == "nvmlInit: code 18"
    assert len(children.processes) == 1
    clock.now += 5
    assert list(watched.sweep(frozenset())) == [Listed(0)]
    assert len(children.processes) == 2


def test_a_process_that_cannot_be_killed_is_left_behind_and_never_followed():
    children = Children(
        ["request", Listed(2), 0, answered(0), 1, "hang"],
        ["request", Listed(2), 0, answered(0), Done(), "request", Listed(2), Done(), "request", Listed(2), Done()],
        process=Stuck,
    )
    watched = reader(children)
    list(watched.sweep(frozenset()))
    assert watched.cost().abandoned == 1
    refused, _ = watched.sweep(frozenset({0}))
    assert (refused.index, type(refused.error)) == (1, DeviceHung)
    assert "cannot be killed" in str(refused.error)
    assert children.skips[-1] == {0, 1}
    children.processes[0].freed = True
    list(watched.sweep(frozenset({0})))
    assert (watched.cost().abandoned, children.skips[-1]) == (0, {0})


def test_no_room_for_a_process_is_a_driver_error():
    def start():
        raise OSError(11, "Resource temporarily unavailable")

    watched = ChildReader(start, TIMEOUT, pause_seconds=60)
    assert "cannot start a process" in str(sweep_until_error(watched.sweep(frozenset())))


def test_waiting_times_double_up_to_the_limit_and_begin_anew():
    backoff = Backoff(10, 60)
    assert [backoff.next() for _ in range(5)] == [10, 20, 40, 60, 60]
    backoff.reset()
    assert backoff.next() == 10
