"""What a part of the stack is: a program, where it listens, and how it says that it is well."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ENGINE_PART = "inference"
"""The part that may have replicas, and their job in Prometheus."""
ENGINE_KIND = "inferwatch"
"""The label `engine` of the reference service."""


@dataclass(frozen=True, slots=True)
class Part:
    """One long-running program, as data; the supervisor, `status` and Prometheus all read the same object."""

    name: str
    """The same as the compose service's name."""
    command: tuple[str, ...]
    url: str
    """`http://host:port`, without a slash at the end."""
    health: str = "/healthz"
    """Path that answers 2xx when the part can do its work."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment that the stack is started from."""
    scraped: bool = True
    """Whether Prometheus has a job for it; not one that it finds by discovery."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Target labels beyond those that every target gets."""
    metrics_port: int | None = None
    """Where /metrics is, if not at the URL."""

    @property
    def address(self) -> str:
        """`host:port`."""
        return self.url.removeprefix("http://")

    @property
    def target(self) -> str:
        """`host:port` of its /metrics."""
        return f"{self.address.rpartition(':')[0]}:{self.metrics_port}" if self.metrics_port else self.address
