"""How the exporter ends: what ends it, and within what time."""

import logging
import os
import signal
import threading
from typing import NoReturn

LOG = logging.getLogger(__name__)

ENDS_WITHIN_SECONDS = 3.0
"""From a signal to the end of the process, whatever still hangs; orchestrators wait for ten seconds and more."""


class Ending:
    """What the main thread waits for: a signal, or a part that says that it cannot go on.

    A pipe and no `threading.Event`: a signal that arrives just before its thread begins to wait for a lock does not
    wake it, and a handler that sets an event may itself wait for the lock that this thread holds.
    """

    def __init__(self) -> None:
        self._heard, self._told = os.pipe()
        os.set_blocking(self._told, False)

    def listen(self) -> None:
        """From now on SIGTERM and SIGINT end the waiting; more of them change nothing. For the main thread."""
        # Written by the interpreter as the signal comes, in whatever thread and at whatever point of it.
        signal.set_wakeup_fd(self._told, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)

    def tell(self) -> None:
        """End the waiting, from any thread."""
        os.write(self._told, b"\0")

    def wait(self) -> None:
        """Return once there is a reason to end, at once where there was one before."""
        os.read(self._heard, 1)


def end_anyway(status: int, seconds: float = ENDS_WITHIN_SECONDS) -> None:
    """End the process after this time with this status, if it has not ended by itself."""
    timer = threading.Timer(seconds, _leave_behind, (status,))
    timer.daemon = True
    timer.start()


def leave(status: int) -> NoReturn:
    """End the process now; the kernel ends its children with it.

    Not by `sys.exit`: the interpreter's own end stops the timer of `end_anyway` first, and can hang in threads.
    """
    logging.shutdown()
    os._exit(status)


def _leave_behind(status: int) -> None:
    LOG.warning("not everything has stopped; leaving it behind")
    leave(status)
