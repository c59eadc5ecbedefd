"""Was a drill's alert proven? Judged by what the channels received, and nothing else."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from alerts.drills.drill import Drill
from alerts.drills.inbox import Message
from alerts.rule import Alert


@dataclass(slots=True)
class Report:
    """What a drill measured, in seconds, and what was wrong."""

    drill: str
    deadline: float
    """Longest time allowed from the fault to the message."""
    resolve_deadline: float
    """Longest time allowed from mending to the resolved message."""
    paged: dict[str, float] = field(default_factory=dict)
    """Channel to seconds from the fault to the message; a channel that stayed silent is missing."""
    resolved: dict[str, float] = field(default_factory=dict)
    """Channel to seconds from mending to the resolved message."""
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the drill proved its alert."""
        return not self.problems


def expected(drill: Drill, message: Message, status: str, known: Collection[str]) -> bool:
    """Whether a message is the drill's own: its alert and no other, in one of its channels."""
    return message.status == status and message.channel in drill.channels and message.alerts(known) == {drill.alert}


def about_the_host(message: Message, known: Mapping[str, Alert], alert: str = "") -> bool:
    """Whether a message tells only of the machine that it all runs on, and not of an alert that a drill waits for."""
    alerts = message.alerts(known)
    return bool(alerts) and all(known[name].component == "host" and name != alert for name in alerts)


def judge(
    drill: Drill, report: Report, heard: Sequence[Message], subject: Collection[str], known: Mapping[str, Alert]
) -> list[str]:
    """Everything that is wrong with what was heard: exactly one firing and one resolved message per channel.

    Args:
        drill: What was broken.
        report: When the messages came, and by when they had to.
        heard: Every message since the fault.
        subject: Words that each message must contain.
        known: All alerts by name.
    """
    problems = []
    for status, times, limit in (
        ("firing", report.paged, report.deadline),
        ("resolved", report.resolved, report.resolve_deadline),
    ):
        counts = Counter(message.channel for message in heard if expected(drill, message, status, known))
        problems += _counted(drill, status, counts, times, limit)
    for message in heard:
        if any(expected(drill, message, status, known) for status in ("firing", "resolved")):
            missing = [word for word in subject if word not in message.words]
            problems += [f"{message.channel}: {message.title!r} does not name {word!r}" for word in missing]
        elif not (about_the_host(message, known, drill.alert) or _late(drill, message, known)):
            problems.append(f"{message.channel}: an unexpected message: {message.title!r}")
    return problems


def _late(drill: Drill, message: Message, known: Collection[str]) -> bool:
    return message.channel in drill.broken and message.alerts(known) == {drill.alert}


def _counted(drill: Drill, status: str, counts: Counter[str], times: dict[str, float], limit: float) -> list[str]:
    problems = []
    for channel in drill.channels:
        if counts[channel] != 1:
            problems.append(f"{channel}: {counts[channel]} {status} messages of {drill.alert}, not 1")
        elif channel not in times or times[channel] > limit:
            problems.append(f"{channel}: the {status} message of {drill.alert} came later than {limit:.0f} s")
    return problems
