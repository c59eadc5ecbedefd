"""GPUs that are left alone for a while, because a call to them did not return."""

from collections.abc import Callable
from dataclasses import dataclass

from exporters.gpu.devices.errors import DeviceError
from exporters.gpu.isolation.backoff import Backoff

_LONGEST_SECONDS = 60.0


@dataclass(slots=True)
class _Case:
    """One GPU that is left alone."""

    error: DeviceError
    backoff: Backoff
    until: float


class Quarantine:
    """Who is left alone, why and for how long; by place in the driver's list.

    Args:
        first_seconds: How long at first; twice as long each time, up to a minute.
        clock: Seconds that never go back.
    """

    def __init__(self, first_seconds: float, clock: Callable[[], float]) -> None:
        self._first_seconds = first_seconds
        self._clock = clock
        self._cases: dict[int, _Case] = {}

    def put(self, index: int, error: DeviceError) -> None:
        """Leave this GPU alone, or longer than before."""
        case = self._cases.setdefault(index, _Case(error, Backoff(self._first_seconds, _LONGEST_SECONDS), 0.0))
        case.error, case.until = error, self._clock() + case.backoff.next()

    def release(self, index: int) -> None:
        """This GPU is to be asked again."""
        self._cases.pop(index, None)

    def clear(self) -> None:
        """All GPUs are to be asked again."""
        self._cases.clear()

    def errors(self) -> dict[int, DeviceError]:
        """Why each of them is left alone."""
        return {index: case.error for index, case in self._cases.items()}

    def due(self) -> list[int]:
        """Those whose time is over."""
        return [index for index, case in self._cases.items() if self._clock() >= case.until]
