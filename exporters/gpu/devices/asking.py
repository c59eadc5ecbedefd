"""Asking one GPU during one reading: what has no value becomes None, what is unsupported is remembered.

Knows NVML's functions by name and its return codes, not pynvml: a `Library` does the calling.
"""

import ctypes
import functools
import math
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from exporters.gpu.devices.codes import ERRORS, NOT_NOW, NOT_SUPPORTED, Code, Field
from exporters.gpu.devices.errors import DeviceDenied, DeviceError, DeviceFailed

T = TypeVar("T")

_TOLERATED = (DeviceDenied, DeviceFailed)
"""Errors that cost one value where another value of the same GPU still comes."""

_ANSWER = struct.Struct("@IIqqII8s")
"""A nvmlFieldValue_t: field, scope, timestamp, latency, value type, return code, value.

Unpacked all at once: a hundred fields a GPU, read one by one through ctypes, take as long as all the rest of it.
"""
_VALUES = tuple(struct.Struct(f"@{member}") for member in ("d", "I", "L", "Q", "q", "i", "H"))
"""How the value is stored, by NVML's value type."""
_WIDE = frozenset({0, 2, 3, 4})
"""Value types that hold 64 bits."""

SELDOM_SECONDS = 30.0
"""How old an answer to a question that is asked seldom can get."""

FieldKey = tuple[Field, int]
"""A field and its scope: the link of an NVLink field, 0 where there is none."""


class Refused(Exception):  # noqa: N818 - it says what the driver did
    """NVML answered with another code than success."""

    def __init__(self, code: int, name: str) -> None:
        super().__init__(f"{name} (code {code})")
        self.code = code


def device_error(refused: Refused, asked: str) -> DeviceError:
    """The `DeviceError` that a refusal means where a value is indispensable; `asked` opens its message."""
    found = ERRORS.get(refused.code, DeviceFailed)(f"{asked}: {refused}")
    found.code = refused.code
    return found


class Library(Protocol):
    """NVML, as `nvml.py` opens it."""

    sees_all_processes: bool
    """Whether the driver tells us of processes outside our PID namespace."""

    def invoke(self, call: str, *arguments: object) -> Any:
        """Call a function by its name in pynvml. Raises `Refused`."""

    def constant(self, name: str) -> Any:
        """A constant by its name in pynvml."""

    def structure(self, name: str) -> Any:
        """A new structure by its name in pynvml, with its version filled in where it has one."""


@dataclass(slots=True)
class Notes:
    """What is known of the GPUs of one driver, from its start to its end."""

    now: float = 0.0
    """When the reading under way began, in seconds that never go back."""
    unsupported: set[tuple[str, str]] = field(default_factory=set)
    """GPU and question."""
    constants: dict[tuple[str, str], Any] = field(default_factory=dict)
    """Answers that do not change while the driver runs, by GPU and question."""
    seldom: dict[tuple[str, str], tuple[float, Any]] = field(default_factory=dict)
    """When a question that is asked seldom was asked, and the answer, by GPU and question."""
    states: dict[tuple[str, str], object] = field(default_factory=dict)
    """What decides which calls a GPU supports or what they answer, by GPU and name."""
    samples: dict[str, list[Any]] = field(default_factory=dict)
    """The driver's activity samples, at most two, by uuid of the GPU, or of GPU and MIG instance."""


class Gpu:
    """One GPU during one reading.

    Args:
        index: Its place in the driver's list.
        uuid: Its identity.
        handle: What NVML knows it by.
        library: What is asked.
        notes: Kept from reading to reading.
    """

    def __init__(self, index: int, uuid: str, handle: object, library: Library, notes: Notes) -> None:
        self.index = index
        self.uuid = uuid
        self.handle = handle
        self.library = library
        self.failure: DeviceError | None = None
        """The last failure that was tolerated."""
        self.answered = False
        """Whether the GPU has said anything in this reading; what is remembered of earlier ones does not count."""
        self.notes = notes
        self._fields: dict[tuple[int, int], tuple[float, bool]] = {}

    def ask(self, call: str, *arguments: object) -> Any | None:
        """What an NVML function says of this GPU, or None where there is no value.

        Raises:
            DeviceError: The GPU or the driver is gone, so that asking on makes no sense.
        """
        found = self.call(call, self.handle, *arguments, key=f"{call}{arguments}")
        self.answered = self.answered or found is not None
        return found

    def ask_seldom(self, call: str, *arguments: object) -> Any | None:
        """As `ask`, for what hardly changes and no alert waits for: the answer, or its absence, holds for 30 s.

        Less where `ask_anew_if_changed` finds a change.
        """
        return self._seldom(f"{call}{arguments}", lambda: self.ask(call, *arguments))

    def ask_once(self, call: str, *arguments: object) -> Any | None:
        """As `ask`, for what does not change while the driver runs: asked until there is an answer."""
        key = (self.uuid, f"{call}{arguments}")
        if key not in self.notes.constants and (found := self.ask(call, *arguments)) is not None:
            self.notes.constants[key] = found
        return self.notes.constants.get(key)

    def keep(self, name: str, value: float | None) -> float | None:
        """What was first kept under this name since the driver was opened, else this value, kept unless None."""
        if value is None:
            return self.notes.constants.get((self.uuid, name))
        kept: float = self.notes.constants.setdefault((self.uuid, name), value)
        return kept

    def fill(self, call: str, structure: str) -> Any | None:
        """As `ask`, for a function that fills a structure; the filled structure."""
        found = self.library.structure(structure)
        if self.call(call, self.handle, ctypes.byref(found), key=f"{call} {structure}") is None:
            return None
        self.answered = True
        return found

    def fill_seldom(self, call: str, structure: str) -> Any | None:
        """As `fill`, as seldom as `ask_seldom`."""
        return self._seldom(f"{call} {structure}", lambda: self.fill(call, structure))

    def call(self, call: str, *arguments: object, key: str = "") -> Any | None:
        """As `ask`, for a function whose first argument is another than this GPU's handle.

        Args:
            call: The function.
            arguments: All of its arguments.
            key: Under which the function is remembered as unsupported; its name if empty.
        """
        question = (self.uuid, key or call)
        if question in self.notes.unsupported:
            return None
        try:
            return self.library.invoke(call, *arguments)
        except Refused as refused:
            self._absent(refused, question)
        except UnicodeDecodeError as error:
            self.failure = DeviceFailed(f"GPU {self.index} ({self.uuid}): {call}: {error}")
        return None

    def lacks(self, key: str) -> bool:
        """Whether the driver has said that what is remembered under this key is not supported."""
        return (self.uuid, key) in self.notes.unsupported

    def forget_if_changed(self, name: str, state: object) -> None:
        """Ask unsupported calls of this GPU again if this state of it is another than in the last reading."""
        if self.notes.states.setdefault((self.uuid, name), state) != state:
            self.notes.states[self.uuid, name] = state
            self.notes.unsupported -= {question for question in self.notes.unsupported if question[0] == self.uuid}

    def ask_anew_if_changed(self, name: str, state: object) -> None:
        """Ask this GPU again what is asked seldom if this state of it is another than in the last reading."""
        if self.notes.states.setdefault((self.uuid, name), state) != state:
            self.notes.states[self.uuid, name] = state
            for question in [one for one in self.notes.seldom if one[0] == self.uuid]:
                del self.notes.seldom[question]

    def fetch(self, keys: Iterable[FieldKey]) -> None:
        """Ask for many fields in one call; `field` has them from then on."""
        unsupported = self.notes.unsupported
        wanted = [key for key in keys if (self.uuid, _named(*key)) not in unsupported]
        if not wanted:
            return
        found = self.call("nvmlDeviceGetFieldValues", self.handle, wanted)
        for number, scope, _, _, kind, code, value in () if found is None else _ANSWER.iter_unpack(found):
            if code == Code.INVALID_ARGUMENT:  # this driver does not know the field, or the card the link
                unsupported.add((self.uuid, _named(number, scope)))
            elif code != Code.SUCCESS:
                self._absent(Refused(code, f"field {number}"), (self.uuid, _named(number, scope)))
            elif kind < len(_VALUES):
                self._fields[number, scope] = (float(_VALUES[kind].unpack_from(value)[0]), kind in _WIDE)
                self.answered = True

    def field(self, field: Field, scope: int = 0) -> float | None:
        """A field that was fetched, in NVML's unit; None where it has no value."""
        found = self._fields.get((field, scope))
        return None if found is None else found[0]

    def wide_field(self, field: Field, scope: int = 0) -> float | None:
        """As `field`, None where the driver gives it in 32 bits: such a byte counter wraps many times a second."""
        value, wide = self._fields.get((field, scope), (None, False))
        return value if wide else None

    def _seldom(self, question: str, ask: Callable[[], T | None]) -> T | None:
        asked_at, answer = self.notes.seldom.get((self.uuid, question), (-math.inf, None))
        if self.notes.now - asked_at >= SELDOM_SECONDS:
            answer = ask()
            self.notes.seldom[self.uuid, question] = (self.notes.now, answer)
        kept: T | None = answer
        return kept

    def _absent(self, refused: Refused, question: tuple[str, str]) -> None:
        if refused.code in NOT_SUPPORTED:
            self.notes.unsupported.add(question)
        elif refused.code not in NOT_NOW:
            failure = device_error(refused, f"GPU {self.index} ({self.uuid}): {question[1]}")
            if not isinstance(failure, _TOLERATED):
                raise failure from refused
            self.failure = failure


def first(*questions: Callable[[], T | None]) -> T | None:
    """The first answer that is not None; the questions after it are not asked."""
    return next((answer for question in questions if (answer := question()) is not None), None)


def thousandths(value: float | None) -> float | None:
    """From milliwatts to watts, or millijoules to joules."""
    return None if value is None else value / 1000


@functools.cache  # for every field of every GPU at every reading; there are about a hundred
def _named(field: int, scope: int) -> str:
    return f"field {Field(field).name} {scope}"
