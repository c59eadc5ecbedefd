"""How the exporter ends: a signal is never lost, and nothing that hangs holds it up."""

import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from exporters.gpu.ending import ENDS_WITHIN_SECONDS, Ending


@pytest.fixture
def ending():
    """Listens as long as the test runs."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    ending = Ending()
    ending.listen()
    yield ending
    signal.set_wakeup_fd(-1)
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_a_signal_that_came_first_ends_the_waiting_at_once(ending):
    signal.raise_signal(signal.SIGTERM)
    ending.wait()


def test_a_signal_that_another_thread_takes_ends_the_waiting(ending):
    """As good as one that comes between the last look for signals and the waiting: the main thread is not interrupted.

    With `threading.Event` this hangs.
    """

    def take():
        time.sleep(0.1)
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    thread = threading.Thread(target=take)
    thread.start()
    ending.wait()
    thread.join()


def test_a_part_that_cannot_go_on_ends_the_waiting(ending):
    threading.Timer(0.05, ending.tell).start()
    ending.wait()


def test_what_does_not_stop_is_left_behind_in_time_and_said():
    code = "import threading, time; from exporters.gpu.ending import end_anyway; end_anyway(1, 0.1);"
    code += "threading.Thread(target=time.sleep, args=(60,)).start()"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert (found.returncode, found.stderr) == (1, "not everything has stopped; leaving it behind\n")


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGINT] * 3], ids=["SIGTERM", "Ctrl-C again and again"])
def test_a_signal_ends_the_process_cleanly(start, numbers):
    exporter = start("--source", "simulated", "--simulated-load-url", "")
    exporter.until(lambda samples: ("gpu_up", "1") in samples)
    for number in numbers[1:]:
        exporter.process.send_signal(number)
    assert exporter.stop(numbers[0]) == 0
    assert "Traceback" not in exporter.log()


def test_a_kubelet_that_never_answers_does_not_keep_the_process_from_ending(start, tmp_path):
    path = tmp_path / "kubelet.sock"
    with socket.socket(socket.AF_UNIX) as kubelet:
        kubelet.bind(str(path))
        kubelet.listen()
        exporter = start("--source", "simulated", "--simulated-load-url", "", "--kubelet-socket", str(path))
        called, _ = kubelet.accept()
        with called:
            asked = time.monotonic()
            assert exporter.stop() == 0
            assert time.monotonic() - asked < ENDS_WITHIN_SECONDS
    assert "Traceback" not in exporter.log()
