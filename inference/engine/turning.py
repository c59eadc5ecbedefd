"""One life of the engine: turn by turn, with one loaded model.

A turn drops who left, reads prompts for a few milliseconds, decodes one token for everyone and hands all events
over. What fails is blamed on one request wherever that can be told; what cannot ends this life.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from inference.engine.disturbances import Disturbances
from inference.engine.generation import Event, Failed, Finished, GapReason, Generation, Text
from inference.engine.ledger import CollectionClock, Ledger
from inference.engine.models import LoadedModel
from inference.engine.sampling import choose
from inference.engine.scheduler import Move, Scheduler

_log = logging.getLogger(__name__)

_READING_SECONDS = 0.02
"""After so long in one turn, prompts wait for the next, so that running answers do not stall."""
_STALLED_SECONDS = 0.02
"""A turn that could do nothing although requests wait takes so long, so that it does not spin."""

Deliver = Callable[[list[tuple[Generation, Event]]], None]
"""Takes the events of a turn."""
OnTurn = Callable[[float, int], None]
"""Takes the seconds that a turn worked and the sequences in its batch."""


@dataclass(slots=True)
class Counters:
    """What the engine has done since the process started, over all its lives."""

    steps: int = 0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    preemptions: int = 0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What outlives one life of the engine."""

    scheduler: Scheduler
    counters: Counters
    collections: CollectionClock
    disturbances: Disturbances
    deliver: Deliver
    on_turn: OnTurn


class Turning:
    """Works through the scheduler's requests with a model. Lives on the engine's thread."""

    def __init__(self, model: LoadedModel, surroundings: Surroundings) -> None:
        self._model = model
        self._scheduler = surroundings.scheduler
        self._counters = surroundings.counters
        self._ledger = Ledger(surroundings.collections)
        self._disturbances = surroundings.disturbances
        self._deliver = surroundings.deliver
        self._on_turn = surroundings.on_turn
        self._outbox: list[tuple[Generation, Event]] = []

    def turn(self, idle_seconds: float) -> None:
        """Wait for work, at most so long, and do one round of it."""
        busy = self._scheduler.wait_for_work(idle_seconds)
        self._ledger.lap(GapReason.OUTSIDE)
        began = time.monotonic()
        self._disturbances.turning(busy=busy)
        self._ledger.lap(GapReason.FAULT)
        self._drop_cancelled()
        self._make_room()
        self._ledger.lap(GapReason.BATCH_CHANGE)
        ended = self._read()
        self._ledger.lap(GapReason.PREFILL)
        batch_size = len(self._scheduler.rows) + ended
        self._decode()
        self.flush()
        self._counters.steps += 1
        if batch_size:
            self._on_turn(time.monotonic() - began, batch_size)
        elif self._scheduler.waiting:
            time.sleep(_STALLED_SECONDS)

    def _drop_cancelled(self) -> None:
        for generation in self._scheduler.rows:
            if generation.cancelled:
                self._move(self._scheduler.retire(generation))

    def _make_room(self) -> None:
        self._scheduler.limit(self._disturbances.cache_tokens())
        while preempted := self._scheduler.preempt():
            generation, moves = preempted
            generation.forget_cache()
            self._counters.preemptions += 1
            self._move(moves)

    def _read(self) -> int:
        """Read prompts; how many sequences came to their end by that: of one token, or failed."""
        until, ended = time.monotonic() + _READING_SECONDS, 0
        while time.monotonic() < until and (generation := self._next_to_read()):
            self._read_piece(generation)
            ended += generation not in self._scheduler.rows
        return ended

    def _next_to_read(self) -> Generation | None:
        rows = self._scheduler.rows
        if rows and rows[-1].reading:
            return rows[-1]
        generation = self._scheduler.admit() if self._disturbances.admits() else None
        if generation and generation.timeline.admitted is None:
            generation.timeline.admitted = time.monotonic()
            generation.timeline.gpu_memory_used_bytes = self._model.runner.device_memory_used_bytes
            generation.misled = self._disturbances.misleads()
        return generation

    def _read_piece(self, generation: Generation) -> None:
        piece = generation.unread(self._model.runner.piece_tokens)
        row = len(self._scheduler.rows) - 1
        try:
            if not generation.cached:
                self._disturbances.reading()
            logits = self._model.runner.prefill(row, piece, generation.cached)
        except Exception as error:  # noqa: BLE001 - nobody else is in this pass: the failure is this prompt's alone
            self._model.runner.prove_alive()
            self._fail(generation, error)
            return
        self._counters.prompt_tokens += generation.read(len(piece))
        if generation.cached == generation.length:
            generation.reading = False
            self._ledger.lap(GapReason.PREFILL)
            self._accept((generation,), logits[None], lambda _moment: GapReason.PREEMPTION)

    def _decode(self) -> None:
        rows = tuple(row for row in self._scheduler.rows if not row.reading)
        if rows:
            try:
                logits = self._model.runner.decode([row.tokens[-1] for row in rows], [row.cached for row in rows])
            except Exception as error:  # noqa: BLE001 - whose fault it is shows when each goes alone
                _log.warning("a step of %d sequences failed, each goes alone: %s", len(rows), type(error).__name__)
                self._model.runner.prove_alive()
                rows, logits = self._decode_each(rows)
            else:
                for row in rows:
                    row.cached += 1
            self._ledger.lap(GapReason.DECODE)
            self._accept(rows, logits, self._ledger.reason_since)
        self._ledger.clear()

    def _decode_each(self, rows: Sequence[Generation]) -> tuple[tuple[Generation, ...], torch.Tensor]:
        """The sequences that decode when they go alone, and their logits; the others fail."""
        good, logits, bad = [], [], []
        for number, row in enumerate(rows):
            try:
                logits.append(self._model.runner.decode([row.tokens[-1]], [row.cached], number)[0])
                # Before anybody leaves: a row that moves must count what this pass wrote to the cache.
                row.cached += 1
                good.append(row)
            except Exception as error:  # noqa: BLE001 - nobody else is in this pass
                bad.append((row, error))
        for row, reason in bad:
            self._fail(row, reason)
        return tuple(good), torch.stack(logits) if logits else torch.empty(0, self._model.runner.vocabulary_size)

    def _accept(
        self, rows: Sequence[Generation], logits: torch.Tensor, reason_since: Callable[[float], GapReason]
    ) -> None:
        if not rows:
            return
        tokens = choose(logits, [row.sampler for row in rows])
        now = time.monotonic()
        events = [(row, self._event(row, token)) for row, token in zip(rows, tokens, strict=True)]
        self._outbox += events
        for generation, event in events:
            if not isinstance(event, Failed):
                self._counters.generated_tokens += 1
                generation.timeline.token_came(now, len(rows), reason_since)
        for generation, event in events:
            if not isinstance(event, Text):
                self._move(self._scheduler.retire(generation))

    def _event(self, generation: Generation, token: int | None) -> Text | Finished | Failed:
        if token is None:
            return Failed("internal_error", "the model gave no usable probabilities")
        if generation.misled:
            token = (token + 1) % self._model.runner.vocabulary_size
        try:
            return generation.accept(token, self._model.ends)
        except Exception:  # noqa: BLE001 - a tokenizer that cannot decode what one request got harms that one only
            _log.exception("a token could not be turned into text")
            return Failed("internal_error", "the answer could not be turned into text")

    def _fail(self, generation: Generation, error: Exception) -> None:
        error_type = "oom" if isinstance(error, torch.OutOfMemoryError | MemoryError) else "internal_error"
        # Memory runs out where it runs out: the place says nothing.
        trace = None if error_type == "oom" else error
        _log.error("a request of %d tokens failed: %s", generation.length, error_type, exc_info=trace)
        message = "not enough memory for this request" if error_type == "oom" else "the request could not be processed"
        self._outbox.append((generation, Failed(error_type, message)))
        self._move(self._scheduler.retire(generation))

    def _move(self, moves: Sequence[Move]) -> None:
        for move in moves:
            self._model.runner.move(move.source, move.target, self._scheduler.rows[move.target].cached)

    def flush(self) -> None:
        """Hand over what has happened; also needed where a turn broke off."""
        events, self._outbox = self._outbox, []
        if events:
            self._deliver(events)
