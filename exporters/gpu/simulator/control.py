"""The control API of the simulated machine: what GPUs show and which faults they have, over HTTP.

Knows requests as method, path and body; the server carries them here and the answers back.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from exporters.gpu.simulator.gpu import THROTTLE_REASONS
from exporters.gpu.simulator.machine import Changes, DriverState, SimulatedMachine

PREFIX = "/simulator/"
_GPU_PATH = r"/simulator/gpus/([^/]+)"
LARGEST_BODY_BYTES = 64 * 2**10

_GPU_STATES = ("ok", "lost", "hang")
_DRIVER_STATES = ("ok", "not_loaded", "mismatch")
_READ_ONLY = ("index", "uuid", "name")
_LARGEST_XID = 999
_MOST_LINKS = 18
_LARGEST_RECOVERY_ACTION = 7
_MOST_ERRORS_PER_SECOND = 10_000
_LONGEST_LIST = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and what becomes the JSON body."""

    status: int
    body: object
    allow: str = ""
    """The methods that the path takes, where the method was wrong."""


class RefusedError(Exception):
    """The request is wrong; carries the answer that says how."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = Answer(status, {"error": message})


def answer(machine: SimulatedMachine, method: str, path: str, body: bytes) -> Answer:
    """Answer one request below `/simulator/`; nothing changes where any part of it is wrong."""
    try:
        return _route(machine, method, path, body)
    except RefusedError as refused:
        return refused.answer


def refusal(machine: SimulatedMachine, path: str, body: bytes) -> str | None:
    """Why a PATCH of this path would be refused, without making it; None where it would be taken."""
    try:
        if path == "/simulator/driver":
            _check_driver(_object(body))
        elif found := re.fullmatch(_GPU_PATH, path):
            _index(machine, found[1])
            _check_gpu(machine, _object(body))
        else:
            raise RefusedError(404, f"{path} takes no PATCH; /simulator/gpus/INDEX and /simulator/driver do")
    except RefusedError as refused:
        return str(refused)
    return None


def _route(machine: SimulatedMachine, method: str, path: str, body: bytes) -> Answer:
    if path == "/simulator/gpus":
        if method != "GET":
            return _wrong_method("GET")
        return Answer(200, [_show(machine, index) for index in range(machine.gpu_count)])
    if path == "/simulator/driver":
        if method not in ("GET", "PATCH"):
            return _wrong_method("GET, PATCH")
        if method == "PATCH":
            _change_driver(machine, _object(body))
        return Answer(200, {"state": machine.driver})
    if found := re.fullmatch(_GPU_PATH, path):
        index = _index(machine, found[1])
        if method != "PATCH":
            return _wrong_method("PATCH")
        _change_gpu(machine, index, _object(body))
        return Answer(200, _show(machine, index))
    raise RefusedError(
        404, f"no such path: {path}; there are /simulator/gpus, /simulator/gpus/INDEX, /simulator/driver"
    )


def _wrong_method(allowed: str) -> Answer:
    return Answer(405, {"error": f"this path takes {allowed}"}, allowed)


def _index(machine: SimulatedMachine, text: str) -> int:
    # isascii: other scripts' digits are decimal too.
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and int(text) < machine.gpu_count):
        raise RefusedError(404, f"no GPU {text[:20]!r}; there are {machine.gpu_count}, counted from 0")
    return int(text)


def _show(machine: SimulatedMachine, index: int) -> dict[str, object]:
    gpu = machine.observe(index)
    return {
        "index": gpu.index,
        "uuid": gpu.uuid,
        "name": machine.profile.name,
        "temperature_celsius": round(gpu.temperature_celsius, 3),
        "utilization_ratio": round(gpu.utilization_ratio, 4),
        "memory_used_bytes": gpu.memory_used_bytes,
        "power_watts": round(gpu.power_watts, 3),
        "state": gpu.state,
    }


def _object(body: bytes) -> dict[str, object]:
    try:
        found = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise RefusedError(400, "the body is not a JSON object")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _change_driver(machine: SimulatedMachine, wanted: dict[str, object]) -> None:
    _check_driver(wanted)
    if "state" in wanted:
        machine.set_driver(cast(DriverState, wanted["state"] or "ok"))  # checked just above


def _check_driver(wanted: dict[str, object]) -> None:
    for name, value in wanted.items():
        if name != "state":
            raise RefusedError(400, f"unknown field {name!r}; there is: state")
        if value is not None and value not in _DRIVER_STATES:
            raise RefusedError(400, f"state: {_short(value)} is none of: {', '.join(_DRIVER_STATES)}")


def _change_gpu(machine: SimulatedMachine, index: int, wanted: dict[str, object]) -> None:
    _check_gpu(machine, wanted)
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in wanted.items()}
    xid = settings.pop("xid", None)
    machine.change(index, cast(Changes, settings))  # each field checked just above
    if isinstance(xid, int):
        machine.report_xid(index, xid)


def _check_gpu(machine: SimulatedMachine, wanted: dict[str, object]) -> None:
    checks = _checks(machine)
    for name, value in wanted.items():
        if name in _READ_ONLY:
            raise RefusedError(400, f"{name}: cannot be set")
        if name not in checks:
            raise RefusedError(400, f"unknown field {name!r}; there are: {', '.join(checks)}")
        if value is not None and not checks[name][0](value):
            raise RefusedError(400, f"{name}: {_short(value)} is not {checks[name][1]}")


def _checks(machine: SimulatedMachine) -> dict[str, tuple[Callable[[object], bool], str]]:
    """For each field that can be set: whether a value is right, and what would be."""
    usable = machine.profile.memory_total_bytes - machine.profile.memory_reserved_bytes
    lanes = machine.profile.pcie_lanes
    rate: tuple[Callable[[object], bool], str] = (
        lambda value: _number(value, 0, _MOST_ERRORS_PER_SECOND),
        f"a number from 0 to {_MOST_ERRORS_PER_SECOND}",
    )
    return {
        "temperature_celsius": (lambda value: _number(value, -40, 150), "a number from -40 to 150"),
        "utilization_ratio": (lambda value: _number(value, 0, 1), "a number from 0 to 1"),
        "memory_used_bytes": (
            lambda value: _whole(value, 0, usable),
            f"a whole number from 0 to {usable}",
        ),
        "power_watts": (lambda value: _number(value, 0, 2000), "a number from 0 to 2000"),
        "state": (lambda value: value in _GPU_STATES, f"one of: {', '.join(_GPU_STATES)}"),
        "xid": (lambda value: _whole(value, 1, _LARGEST_XID), f"a whole number from 1 to {_LARGEST_XID}"),
        "ecc_uncorrected": (lambda value: _whole(value, 0, 2**32 - 1), f"a whole number from 0 to {2**32 - 1}"),
        "throttle": (
            lambda value: _list_of(value, lambda one: one in THROTTLE_REASONS),
            f"a list of: {', '.join(THROTTLE_REASONS)}",
        ),
        "remap_pending": (lambda value: isinstance(value, bool), "true or false"),
        "remap_failure": (lambda value: isinstance(value, bool), "true or false"),
        "sram_worn": (lambda value: isinstance(value, bool), "true or false"),
        "recovery_action": (
            lambda value: _whole(value, 0, _LARGEST_RECOVERY_ACTION),
            f"a whole number from 0 to {_LARGEST_RECOVERY_ACTION}",
        ),
        "nvlink_down": (
            lambda value: _list_of(value, lambda one: _whole(one, 0, _MOST_LINKS - 1)),
            f"a list of whole numbers from 0 to {_MOST_LINKS - 1}",
        ),
        "nvlink_errors_per_second": rate,
        "pcie_lanes": (lambda value: _whole(value, 1, lanes), f"a whole number from 1 to {lanes}"),
        "pcie_replays_per_second": rate,
        "unsupported": (
            lambda value: _list_of(value, lambda one: isinstance(one, str) and one.startswith("nvml")),
            "a list of NVML function names",
        ),
    }


def _number(value: object, least: float, most: float) -> bool:
    # bool is an int to Python, not to a reader of the API.
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and _number(value, least, most)


def _list_of(value: object, right: Callable[[object], bool]) -> bool:
    return isinstance(value, list) and len(value) <= _LONGEST_LIST and all(right(one) for one in value)


def _short(value: object) -> str:
    return json.dumps(value)[:80]
