"""How a drill reaches a running stack: over HTTP, by signals to its parts, and by one more file of rules.

compose implements it for local processes and for containers; a drill never knows which one it breaks.
"""

from typing import Protocol

from alerts.timing import Timing


class Stack(Protocol):
    """A running stack. Parts are named as in `inferwatch status`; an unknown name raises KeyError."""

    @property
    def timing(self) -> Timing:
        """The clock that its rules and routes were generated for."""
        ...

    @property
    def receivers_are_inbox(self) -> bool:
        """Whether every message ends in the inbox, so that a drill disturbs nobody."""
        ...

    def url(self, part: str) -> str:
        """Where the part listens, as `http://host:port` without a slash at the end."""
        ...

    def replicas(self) -> tuple[str, ...]:
        """Names of the parts that are the inference service: one, unless it was scaled."""
        ...

    def scale(self, replicas: int) -> None:
        """Run so many replicas of the inference service; returns once all serve, and Prometheus sees just these."""
        ...

    def add_rules(self, text: str) -> None:
        """Put one more file of rules beside Prometheus' own, and have Prometheus read it; it may refuse."""
        ...

    def remove_rules(self) -> None:
        """Take that file away, and have Prometheus read what is left; harmless where there is none."""
        ...

    def kill(self, part: str) -> None:
        """End the part at once (SIGKILL, its children too); it is restarted unless held."""
        ...

    def stop(self, part: str) -> None:
        """Freeze the part (SIGSTOP): it keeps its port and answers nothing."""
        ...

    def resume(self, part: str) -> None:
        """Let a frozen part go on (SIGCONT)."""
        ...

    def hold(self, part: str) -> None:
        """Keep the part down once it ends; what runs now goes on running."""
        ...

    def release(self, part: str) -> None:
        """Let a held part start again."""
        ...
