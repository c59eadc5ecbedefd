"""What a drill is: a fault as data, with the one message that must follow."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from alerts.drills.stack import Stack
from alerts.timing import Timing

Channel = Literal["slack", "email"]
PAGE: tuple[Channel, ...] = ("slack", "email")
TICKET: tuple[Channel, ...] = ("slack",)


class DrillRefused(Exception):  # noqa: N818 - it is a refusal, not a fault
    """The stack is in no state to be drilled; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Drill:
    """A fault that can be injected into a running stack, and what must be heard of it.

    Raises:
        ValueError: If the name is no sentence in snake case.
    """

    name: str
    """A sentence in the present: `gpu_overheats`."""
    story: str
    """One line for the reader of `inferwatch drill --list`: what breaks, and how."""
    alert: str
    """The only alert that may reach a person."""
    channels: tuple[Channel, ...]
    inject: Callable[[Stack], None]
    mend: Callable[[Stack], None]
    """Undoes inject, and returns once the fault is gone; safe to call twice, and where inject failed half way."""
    subject: Callable[[Stack], tuple[str, ...]]
    """Words that each firing message must contain: the service, the host, the GPU."""
    broken: tuple[Channel, ...] = ()
    """Channels that the fault itself breaks: what reaches them of this alert is welcome, however late or often."""
    prepare: Callable[[Stack], None] = lambda stack: None
    """Waits, before anything is broken, for what the fault needs; raises TimeoutError where it does not come."""
    replicas: int = 1
    """Of the inference service: others are started before anything is broken, and taken away at the end, whatever
    happens."""
    extra_bound: Callable[[Timing], float] = lambda timing: 0.0
    """Seconds that this fault takes beyond the alert's bound, where its path is longer than a rule's."""

    def __post_init__(self) -> None:
        """Refuse a name that is not a sentence."""
        if not re.fullmatch(r"[a-z]+(_[a-z]+)+", self.name):
            raise ValueError(f"drill {self.name!r}: not a sentence in snake case")
