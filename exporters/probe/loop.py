"""Attempts every target on its own clock and keeps count. Knows nothing of metrics or HTTP servers."""

import asyncio
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from exporters.catalogue.probe import REASONS
from exporters.probe.asking import new_client
from exporters.probe.completion import Result, attempt
from exporters.probe.config import Config, Target
from exporters.probe.judging import Judge

_LOG = logging.getLogger(__name__)
HEALTHY_INTERVALS = 3
"""An attempt may be slow and one may be skipped; after this many intervals something is stuck."""


@dataclass(frozen=True, slots=True)
class Tally:
    """All that is known of one target; replaced, never changed."""

    model: str
    """The configured model, or the one last learned from the server; empty before."""
    attempts: int = 0
    failures: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    """By reason, every reason present."""
    last: Result | None = None
    """None before the first attempt ended."""
    last_success: float | None = None
    """Seconds since the epoch; None before the first."""
    answer_matches: bool | None = None
    """Whether the last attempt brought the golden answer; None where that is unknown."""
    mismatches: int = 0
    """Answers that were not the golden one."""

    def after(self, result: Result, answer_matches: bool | None = None) -> "Tally":
        """This tally with one more attempt."""
        failures = dict(self.failures)
        if result.reason:
            failures[result.reason] += 1
        success = self.last_success if result.reason else result.ended_at
        return Tally(
            model=result.model or self.model,
            attempts=self.attempts + 1,
            failures=failures,
            last=result,
            last_success=success,
            answer_matches=answer_matches,
            mismatches=self.mismatches + (answer_matches is False),
        )


class Prober:
    """Runs the attempts of a configuration; its tallies may be read from any thread."""

    def __init__(self, config: Config, judge: Judge) -> None:
        self.config = config
        self.judge = judge
        self.tallies: Mapping[Target, Tally] = {}
        """A new mapping at each change, so a reader that takes it once sees one moment."""
        self._started_at = 0.0
        self.adopt(config, judge)

    def adopt(self, config: Config, judge: Judge) -> None:
        """Take a configuration; a target that stays the same keeps its counts."""
        self.config = config
        self.judge = judge
        self.tallies = {target: self.tallies.get(target, Tally(target.model or "")) for target in config.targets}
        self._started_at = time.time()

    async def run(self) -> None:
        """Attempt every target for ever; starts are spread over the interval so that none delays another."""
        config, start = self.config, time.monotonic()
        async with new_client() as client, asyncio.TaskGroup() as group:
            for index, target in enumerate(config.targets):
                offset = config.interval * index / len(config.targets)
                group.create_task(self._attempts(client, target, config, start + offset))

    def late(self) -> tuple[str, ...]:
        """Names of the targets whose last attempt ended too long ago; none where the probe works."""
        oldest = time.time() - HEALTHY_INTERVALS * self.config.interval
        ended = {
            target.name: max(tally.last.ended_at if tally.last else 0, self._started_at)
            for target, tally in self.tallies.items()
        }
        return tuple(name for name, at in ended.items() if at < oldest)

    async def _attempts(self, client: httpx.AsyncClient, target: Target, config: Config, first: float) -> None:
        """One target: an attempt at each turn of its clock."""
        turn = first
        while True:
            await asyncio.sleep(turn - time.monotonic())
            before = self.tallies[target]
            result = await attempt(client, target, config, _known_model(before))
            matches = await self.judge.matches(client, target, result, config.timeout - result.duration)
            now = before.after(result, matches)
            self.tallies = {**self.tallies, target: now}
            _log_change(target, before.last, result)
            _log_verdict(target, before, now)
            turn = next_turn(turn, config.interval, time.monotonic())


def next_turn(last: float, interval: float, now: float) -> float:
    """The first of last + interval, last + 2 x interval, ... to come; missed ones are skipped, not queued."""
    return last + interval * max(1, math.ceil((now - last) / interval))


def _known_model(tally: Tally) -> str:
    """The model to ask for; empty, so that it is looked up again, where the server refused the last request.

    A server that was redeployed with another model answers 404 to the old name.
    """
    refused = tally.last is not None and tally.last.reason == "http_status"
    return "" if refused else tally.model


def _log_change(target: Target, before: Result | None, now: Result) -> None:
    """One line where the outcome differs from the last: not one per attempt."""
    if before is None or before.reason != now.reason:
        outcome = f"fails: {now.reason}" if now.reason else "works"
        _LOG.log(logging.WARNING if now.reason else logging.INFO, "target %s %s", target.name, outcome)


def _log_verdict(target: Target, before: Tally, now: Tally) -> None:
    """One line where answers begin or cease to be wrong; never the answer."""
    if now.answer_matches is False and before.answer_matches is not False:
        _LOG.warning("target %s: its answer is not the golden one (model %r)", target.name, now.model)
    elif now.answer_matches and before.answer_matches is False:
        _LOG.info("target %s: its answer is the golden one again", target.name)
