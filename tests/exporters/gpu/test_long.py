"""Ten thousand collections through a real child: memory, handles, threads and processes stay as they were."""

import os
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from exporters.gpu.collector import Collector
from exporters.gpu.collectors import COLLECTORS
from exporters.gpu.isolation.process import start
from exporters.gpu.isolation.reader import ChildReader
from exporters.gpu.page import render
from exporters.gpu.simulator.gpu import Load
from exporters.gpu.simulator.machine import SimulatedMachine
from exporters.gpu.simulator.profiles import H200
from exporters.gpu.simulator.remote import serve

COLLECTIONS = 10_000
SETTLED = 1_000
"""Collections after which nothing grows any more."""
MOST_GROWTH_BYTES = 2 * 2**20


class Held:
    """What this process and its children hold."""

    def __init__(self) -> None:
        self.children = sorted(
            int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()
        )
        pids = [os.getpid(), *self.children]
        self.handles = {pid: len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids}
        self.threads = threading.active_count()
        self.bytes = {
            pid: int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") for pid in pids
        }


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_ten_thousand_collections_leave_nothing_behind():
    machine = SimulatedMachine(H200, 8)
    machine.set_load(Load(requests_running=4, tokens_per_second=120, model_loaded=True))
    reader = ChildReader(partial(start, "read", partial(serve, machine)), 2.0, 5.0)
    collector = Collector(reader.sweep)
    page = render("simulated", None, COLLECTORS)
    started = time.monotonic()
    for number in range(COLLECTIONS):
        collection = collector.collect()
        before_it, page = page, render("simulated", collection, COLLECTORS)
        page.prepare(before_it)
        assert len(collection.readings) == 8
        assert page.form("text_gzip")
        assert page.form("openmetrics_gzip")
        if number == SETTLED:
            before = Held()
    after = Held()
    print(  # noqa: T201 - the figures are the point of the run
        f"\n{COLLECTIONS} collections in {time.monotonic() - started:.0f} s; bytes {before.bytes} to {after.bytes}; "
        f"handles {after.handles}; threads {after.threads}"
    )
    reader.close()
    assert (after.children, after.handles, after.threads) == (before.children, before.handles, before.threads)
    assert len(after.children) == 1
    assert all(after.bytes[pid] - size < MOST_GROWTH_BYTES for pid, size in before.bytes.items())


def change(machine, state):
    """Break or mend GPU 1, and wait until the child's picture of the machine is too old to be used."""
    machine.change(1, {"state": state})
    time.sleep(0.1)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_hundred_hangs_leave_nothing_behind():
    machine = SimulatedMachine(H200, 2)
    reader = ChildReader(partial(start, "read", partial(serve, machine)), 0.2, 0.1)
    collector = Collector(reader.sweep, quarantine_seconds=0.0)
    for number in range(110):
        change(machine, "hang")
        assert [one.identity.index for one in collector.collect().readings] == [0]
        change(machine, None)
        collector.retry()
        assert [one.identity.index for one in collector.collect().readings] == [0, 1]
        if number == 10:
            before = Held()
    after = Held()
    reader.close()
    assert reader.cost().kills == 110
    assert (len(after.children), after.threads) == (1, before.threads)
    assert max(after.handles.values()) == max(before.handles.values())
    assert after.bytes[os.getpid()] - before.bytes[os.getpid()] < MOST_GROWTH_BYTES
