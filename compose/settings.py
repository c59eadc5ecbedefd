"""Settings of the native stack, read once from the environment and from what the running stack remembers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from alertmanager.receivers import VARIABLES as CHANNEL_VARIABLES
from alertmanager.teams import DEFAULT_FILE as TEAMS_FILE
from alerts.timing import CLOCKS, Clock, Timing, load
from compose import ports
from compose.state import State

Channels = Literal["inbox", "real"]
CHANNELS: tuple[Channels, ...] = get_args(Channels)

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

    channels: Mapping[str, str]
    """INFERWATCH_CHANNELS, TEAMS_FILE and the variables of real channels, where they are set; paths are absolute."""
    replicas: tuple[int, ...] = ()
    """Ports of further inference services beside the first, while a drill runs that needs them."""

    @property
    def real_channels(self) -> bool:
        """Whether messages are meant to reach people; otherwise all end in the inbox."""
        return self.channels.get("INFERWATCH_CHANNELS") == "real"

    @property
    def teams(self) -> Path:
        """The file of teams."""
        return Path(self.channels.get("TEAMS_FILE", TEAMS_FILE))

    @property
    def timing(self) -> Timing:
        """The clock as intervals."""
        return load().at(self.clock)

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
        """Keep ports, clock, channels (no secrets) and replicas for later commands, until the stack is taken down."""
        self.state.remember(
            ports=dict(self.ports), clock=self.clock, channels=dict(self.channels), replicas=self.replicas
        )


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
        # One by one: a shell that knows TEAMS_FILE alone must not turn a real stack's pages to the inbox.
        channels=_channels({**memory.get("channels", {}), **environment}),
        replicas=tuple(memory.get("replicas", ())),
    )


def _channels(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of the channels as they are set, checked as far as they can be without reading a file."""
    files = ("TEAMS_FILE", "SECRETS_DIR", "HEARTBEAT_URL_FILE")
    names = ("INFERWATCH_CHANNELS", "TEAMS_FILE", *CHANNEL_VARIABLES)
    said = {name: environment[name] for name in names if environment.get(name)}
    kind = said.get("INFERWATCH_CHANNELS", "inbox")
    if kind not in CHANNELS:
        raise ValueError(f"INFERWATCH_CHANNELS must be one of {', '.join(CHANNELS)}, got {kind!r}")
    missing = [name for name in ("SECRETS_DIR", "SMTP_SMARTHOST", "SMTP_FROM") if name not in said]
    if kind == "real" and missing:
        raise ValueError(f"INFERWATCH_CHANNELS=real needs {', '.join(missing)} too")
    if kind == "inbox":
        # Whatever else is set is meant for real channels, or for another program.
        said = {name: said[name] for name in ("INFERWATCH_CHANNELS", "TEAMS_FILE") if name in said}
    return said | {name: str(Path(said[name]).expanduser().resolve()) for name in files if name in said}
