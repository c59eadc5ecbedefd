"""What the kernel log says, from lines and from files that grow."""

import os
import time

import pytest

from exporters.gpu.xid.kernel_log import Entry, KernelLog, parse
from exporters.gpu.xid.tally import Tally

XID = "NVRM: Xid (PCI:0000:18:00): 79, pid=1234, name=python, GPU has fallen off the bus."
SXID = "nvidia-nvswitch3: SXid (PCI:0000:c5:00.0): 12028, Non-fatal, Link 32 egress non-posted PRIV error (First)"


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (f"3,1021,90500000,-;{XID}", Entry("xid", "0000:18:00", 79, 1090.5)),
        (f"Aug 22 05:11:01 node-7 kernel: [   90.500000] {XID}", Entry("xid", "0000:18:00", 79, 2000.0)),
        (f"4,1022,91000000,-;{SXID}", Entry("sxid", "nvidia-nvswitch3", 12028, 1091.0)),
        ("6,1,99999999999,-;NVRM: Xid (PCI:0000:18:00): 31, x", Entry("xid", "0000:18:00", 31, 2000.0)),
        ("6,1,5,-;usb 1-1: new high-speed USB device", None),
        ("6,1,5,-;NVRM: Xid (PCI:0000:18:00): many", None),
        (" SUBSYSTEM=pci", None),
        ("", None),
    ],
)
def test_lines_of_either_kind_of_log_are_understood(line, entry):
    assert parse(line, now=2000.0, booted_at=1000.0) == entry


@pytest.fixture
def follow(tmp_path):
    running = []

    def follow(path):
        tally = Tally()
        log = KernelLog(path, tally)
        running.append(log)
        log.start()
        return tally

    yield follow
    for log in running:
        log.stop()


def until(tally, holds):
    deadline = time.monotonic() + 5
    while not holds(found := tally.errors()):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_what_was_there_is_history_and_what_comes_counts(tmp_path, follow):
    path = tmp_path / "kern.log"
    path.write_text(f"{XID}\n")
    tally = follow(path)
    until(tally, lambda errors: [one.count for one in errors.xids] == [0])
    with path.open("a") as file:
        file.write(f"{XID}\n{SXID}\nhalf a li")
        file.flush()
        found = until(tally, lambda errors: [one.count for one in errors.xids] == [1])
        file.write(f"ne {XID}\n")
    assert found.kernel_log_readable is True
    until(tally, lambda errors: [one.count for one in errors.xids] == [2])
    assert [(one.place, one.code, one.count) for one in tally.errors().sxids] == [("nvidia-nvswitch3", "12028", 1)]


def test_a_rotated_log_goes_on_in_its_new_file(tmp_path, follow):
    path = tmp_path / "kern.log"
    path.write_text("begins\n")
    tally = follow(path)
    until(tally, lambda errors: errors.kernel_log_readable)
    time.sleep(0.1)
    path.rename(tmp_path / "kern.log.1")
    path.write_text(f"{XID}\n")
    until(tally, lambda errors: [one.count for one in errors.xids] == [1])


def test_a_device_that_blocks_until_there_is_more_is_followed_too(tmp_path, follow):
    path = tmp_path / "kmsg"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    tally = follow(path)
    until(tally, lambda errors: errors.kernel_log_readable)
    time.sleep(0.1)
    os.write(writer, f"3,1021,90500000,-;{XID}\n".encode())
    until(tally, lambda errors: [one.count for one in errors.xids] == [1])
    os.close(writer)


def test_a_clock_that_is_set_right_after_the_start_makes_no_error_old(tmp_path):
    path, slow, tally = tmp_path / "kern.log", [3600.0], Tally()
    path.write_text("begins\n")
    log = KernelLog(path, tally, lambda: time.time() - slow[0])
    log.start()
    try:
        until(tally, lambda errors: errors.kernel_log_readable)
        time.sleep(0.1)
        slow[0] = 0.0
        now = time.clock_gettime(time.CLOCK_MONOTONIC)
        with path.open("a") as file:
            file.write(f"3,1021,{int(now * 1e6)},-;{XID}\n")
        (found,) = until(tally, lambda errors: [one.count for one in errors.xids] == [1]).xids
    finally:
        log.stop()
    assert abs(found.last_seen_at - time.time()) < 60


def test_a_log_that_cannot_be_read_is_said_once_and_shown(tmp_path, follow, caplog):
    tally = follow(tmp_path / "nothing")
    assert until(tally, lambda errors: errors.kernel_log_readable is not None).kernel_log_readable is False
    assert [record.getMessage() for record in caplog.records] == [
        f"kernel log {tmp_path / 'nothing'}: No such file or directory; some XIDs and all SXids stay unknown"
    ]
