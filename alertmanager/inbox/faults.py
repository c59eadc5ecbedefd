"""Faults that a test or a drill switches on: how a channel fails, and how often."""

import asyncio
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from alertmanager.inbox.messages import Channel

Mode = Literal["429", "500", "403", "hang", "refuse"]
"""On Slack an HTTP status, silence, or a dropped connection; on SMTP 451, 451, 550, silence, a dropped connection."""


class Fault(BaseModel):
    """A fault as the API takes it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    mode: Mode
    count: int | None = Field(default=None, ge=1)
    """How many deliveries fail; None: all, until it is cleared."""


@dataclass(slots=True)
class _Active:
    fault: Fault
    left: int | None


class Faults:
    """The fault of each channel, if any. Belongs to one event loop."""

    def __init__(self) -> None:
        self._active: dict[Channel, _Active] = {}
        self._changed: dict[Channel, asyncio.Event] = {}

    def set(self, channel: Channel, fault: Fault) -> None:
        """Switch a fault on, in place of the one before."""
        self.clear(channel)
        self._active[channel] = _Active(fault, fault.count)

    def clear(self, channel: Channel) -> None:
        """Switch the fault off, and let go what hangs in it."""
        self._active.pop(channel, None)
        self._changed.pop(channel, asyncio.Event()).set()

    def take(self, channel: Channel) -> Mode | None:
        """The fault that hits this delivery, counted; None where it may pass."""
        active = self._active.get(channel)
        if active is None:
            return None
        if active.left is not None:
            active.left -= 1
            if not active.left:
                del self._active[channel]
        return active.fault.mode

    def mode(self, channel: Channel) -> Mode | None:
        """The fault that would hit the next delivery, uncounted."""
        active = self._active.get(channel)
        return active.fault.mode if active else None

    async def changed(self, channel: Channel) -> None:
        """Wait until the channel's fault is cleared or replaced."""
        await self._changed.setdefault(channel, asyncio.Event()).wait()
