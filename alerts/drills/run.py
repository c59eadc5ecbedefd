"""Run one drill against a running stack and judge what was heard.

Break, wait for the page in every channel, go on watching for as long as a muted symptom could still slip
through, mend, wait for the resolve, and until nothing is left that could send. The verdict comes from what
the channels received, never from Prometheus' own opinion.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import httpx

from alerts.drills.calls import call, query
from alerts.drills.drill import Drill, DrillRefused
from alerts.drills.inbox import Message, messages
from alerts.drills.judge import Report, expected, judge
from alerts.drills.stack import Stack
from alerts.rule import Alert
from alerts.rules import catalogue
from alerts.rules.inhibitors import tail_seconds, twin_name
from alerts.timing import DELIVERY_SECONDS, NOTIFIER_SECONDS, duration

TOLERANCE_SECONDS = 5
"""A drill's deadline is its alert's bound and this (design, section 5)."""
_POLL_SECONDS = 0.25

Say = Callable[[str], None]


def run(drill: Drill, stack: Stack, say: Say, *, real_channels: bool = False) -> Report:
    """Run a drill; the fault is mended whatever happens, Ctrl-C included.

    Raises:
        DrillRefused: Before anything is broken, if an alert is active already or the drill's own stays muted, the
            inbox or Prometheus does not answer, what the drill breaks is real, or messages would reach people and
            real_channels is not set.
        httpx.HTTPError: If the fault could not be injected.
    """
    if not stack.receivers_are_inbox and not real_channels:
        raise DrillRefused("messages of this stack reach people; say --real-channels if that is meant")
    return _Run(drill, stack, say).run()


class _Run:
    """One run: its clock, what was there before, and the report in the making."""

    def __init__(self, drill: Drill, stack: Stack, say: Say) -> None:
        timing = stack.timing
        self.drill, self.stack, self.say = drill, stack, say
        self.known = catalogue(timing)
        alert = self.known[drill.alert]
        extra = drill.extra_bound(timing)
        resolve = alert.drain(timing) + timing.group_interval + NOTIFIER_SECONDS + DELIVERY_SECONDS
        self.report = Report(
            drill.name,
            deadline=alert.bound(timing) + extra + TOLERANCE_SECONDS,
            resolve_deadline=resolve + extra + TOLERANCE_SECONDS,
        )
        # As long as a muted page would have needed to reach a channel; a ticket may take days.
        pages = [one for one in _muted(alert, self.known) if one.severity == "page"]
        self.watch = max((one.worst_bound(timing) for one in pages), default=0.0)
        self.before: frozenset[str] = frozenset()
        self.broken_at = self.mended_at = 0.0

    def run(self) -> Report:
        self._preflight()
        with self._grown():
            return self._prove()

    @contextmanager
    def _grown(self) -> Iterator[None]:
        """With as many replicas as the drill needs; a user's own are left."""
        if self.drill.replicas == 1:
            yield
            return
        had = len(self.stack.replicas())
        try:
            self.say(f"waiting for {self.drill.replicas} replicas of the inference service")
            self.stack.scale(max(had, self.drill.replicas))
            yield
        finally:
            self.stack.scale(had)

    def _prove(self) -> Report:
        self.broken_at = time.time()
        try:
            self.say(f"breaking: {self.drill.story}")
            self.drill.inject(self.stack)
            self.report.paged = self._await("firing", self.broken_at, self.report.deadline)
            self._linger(self.broken_at + self.watch)
        finally:
            self.drill.mend(self.stack)
            self.mended_at = time.time()
            self.say("mended")
        self.report.resolved = self._await("resolved", self.mended_at, self.report.resolve_deadline)
        self._settle()
        self.report.problems = judge(self.drill, self.report, self._new(), self.drill.subject(self.stack), self.known)
        return self.report

    def _preflight(self) -> None:
        try:
            self._until_unmuted()
            self._until_told()
            active = self._active()
            self.drill.prepare(self.stack)
            self.before = frozenset(message.id for message in messages(self.stack.url("inbox")))
        except httpx.HTTPError as error:
            raise DrillRefused(f"the stack does not answer ({error}); is it up? see `inferwatch status`") from error
        except TimeoutError as error:
            raise DrillRefused(str(error)) from error
        if active:
            raise DrillRefused(f"already active: {', '.join(sorted(active))}; a drill needs a quiet stack")

    def _until_unmuted(self) -> None:
        """Wait while twins of an earlier incident would still mute the drill's alert; they end by themselves."""
        if not (muting := self._muting()) or self._active():
            return
        longest = max(tail_seconds(self._muted_by(twin), self.stack.timing) for twin in muting)
        self.say(f"waiting up to {longest:.0f} s: an earlier incident still mutes {self.drill.alert}")
        give_up = time.time() + longest + TOLERANCE_SECONDS
        while muting and time.time() < give_up:
            time.sleep(_POLL_SECONDS)
            muting = self._muting()
        if muting:
            raise DrillRefused(
                f"{self.drill.alert} stays muted by {', '.join(sorted(muting))}; see `inferwatch status`"
            )

    def _until_told(self) -> None:
        """Wait while the end of an earlier incident may be on its way: it is told up to a group interval later."""
        timing = self.stack.timing
        seconds = timing.group_interval + 2 * timing.evaluation_interval + NOTIFIER_SECONDS + DELIVERY_SECONDS
        give_up = time.time() + seconds + TOLERANCE_SECONDS
        ended = f'ALERTS{{alertstate="firing", severity!="none", component!="host"}}[{duration(seconds)}]'
        lately = f"last_over_time({ended})"
        while not self._active() and query(self.stack.url("prometheus"), lately) and time.time() < give_up:
            time.sleep(_POLL_SECONDS)

    def _await(self, status: str, since: float, deadline: float) -> dict[str, float]:
        """Seconds until each channel had its message; channels that stay silent are missing."""
        self.say(f"waiting up to {deadline:.0f} s for {self.drill.alert} {status} in {', '.join(self.drill.channels)}")
        heard: dict[str, float] = {}
        while len(heard) < len(self.drill.channels) and time.time() < since + deadline:
            for message in self._new():
                if expected(self.drill, message, status, self.known) and message.channel not in heard:
                    heard[message.channel] = message.received_at - since
                    self.say(f"{message.channel}: {message.title}  ({heard[message.channel]:.1f} s)")
            time.sleep(_POLL_SECONDS)
        return heard

    def _linger(self, until: float) -> None:
        if (seconds := until - time.time()) > 0:
            self.say(f"watching {seconds:.0f} s more for anything that should be muted")
            time.sleep(seconds)

    def _settle(self) -> None:
        """Wait until no alert is left that could send, and what was on its way has arrived."""
        timing = self.stack.timing
        give_up = time.time() + self.report.resolve_deadline
        while time.time() < give_up:
            try:
                if not self._active():
                    break
            except httpx.HTTPError:
                pass  # Prometheus is itself the part that comes back
            time.sleep(_POLL_SECONDS)
        time.sleep(2 * timing.evaluation_interval + NOTIFIER_SECONDS + DELIVERY_SECONDS)

    def _active(self) -> set[str]:
        """Names of alerts, pending or firing, that can reach a person and are not about this machine's own state."""
        told = {labels["alertname"] for labels in self._alerts() if labels.get("severity") != "none"}
        host = {name for name, alert in self.known.items() if alert.component == "host"} - {self.drill.alert}
        return told - host

    def _muting(self) -> set[str]:
        """Names of hidden twins, left by an earlier incident, that may mute the drill's alert."""
        edges = [(root, mute) for root in self.known.values() for mute in root.mutes if mute.alert == self.drill.alert]
        twins = {twin_name(root, mute) for root, mute in edges}
        return {labels["alertname"] for labels in self._alerts()} & twins

    def _muted_by(self, twin: str) -> list[Alert]:
        """A twin stays for the slowest of all that it mutes."""
        edges = [(root, mute) for root in self.known.values() for mute in root.mutes]
        return [self.known[mute.alert] for root, mute in edges if twin_name(root, mute) == twin]

    def _alerts(self) -> list[dict[str, str]]:
        alerts = call("GET", f"{self.stack.url('prometheus')}/api/v1/alerts")["data"]["alerts"]
        return [alert["labels"] for alert in alerts]

    def _new(self) -> list[Message]:
        try:
            found = messages(self.stack.url("inbox"))
        except httpx.HTTPError:
            return []  # asked again at the next poll; the deadline bounds it
        return [message for message in found if message.id not in self.before]


def _muted(alert: Alert, known: Mapping[str, Alert]) -> Iterator[Alert]:
    """What it mutes, and what that mutes in turn: a roll-up's members go on muting what users feel."""
    for mute in alert.mutes:
        yield known[mute.alert]
        yield from _muted(known[mute.alert], known)
