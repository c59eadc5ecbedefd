"""Settings of the native stack, read once from the environment and from what the running stack remembers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from alerts.timing import Timing, load
from compose import ports
from compose.state import State

Clock = Literal["real", "compressed"]
CLOCKS: tuple[Clock, ...] = get_args(Clock)

CHECKOUT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Settings:
    """What a command of the native stack works with."""

    state: State
    bin_dir: Path
    """Where the tools are; missing ones are fetched into it."""
    ports: Mapping[str, int]
    """Port number by part, and `inbox-smtp`."""
    clock: Clock
    model_cache: Path
    """Where the service keeps the model that it builds."""
    links: Mapping[str, str]
    """RUNBOOK_URL, GRAFANA_URL and ALERTMANAGER_UI_URL where they are set; empty leaves a link out."""

    @property
    def timing(self) -> Timing:
        """The clock as intervals."""
        timing = load()
        return timing.compressed() if self.clock == "compressed" else timing

    def url(self, part: str) -> str:
        """`http://127.0.0.1:port` of a part."""
        return f"http://{self.address(part)}"

    def address(self, part: str) -> str:
        """`127.0.0.1:port` of a part."""
        return f"{ports.LOOPBACK}:{self.ports[part]}"

    def at(self, clock: Clock) -> "Settings":
        """The same settings at another clock."""
        return replace(self, clock=clock)

    def remember(self) -> None:
        """Keep ports and clock for later commands, until the stack is taken down."""
        self.state.remember(ports=dict(self.ports), clock=self.clock)


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Settings from environment variables, then from what the stack was started with, then defaults.

    Raises:
        ValueError: A variable is not usable; the message names it.
    """
    root = environment.get("INFERWATCH_STATE_DIR") or CHECKOUT / ".inferwatch"
    state = State(Path(root).expanduser().resolve())
    memory = state.remembered()
    clock = environment.get("INFERWATCH_CLOCK") or memory.get("clock", "real")
    if clock not in CLOCKS:
        raise ValueError(f"INFERWATCH_CLOCK must be one of {', '.join(CLOCKS)}, got {clock!r}")
    return Settings(
        state=state,
        bin_dir=Path(environment.get("INFERWATCH_BIN") or state.bin).expanduser().resolve(),
        ports=ports.chosen(environment, memory.get("ports", {})),
        clock=clock,
        model_cache=Path(environment.get("MODEL_CACHE") or state.data / "models").expanduser().resolve(),
        links={
            name: environment[name]
            for name in ("RUNBOOK_URL", "GRAFANA_URL", "ALERTMANAGER_UI_URL")
            if name in environment
        },
    )
