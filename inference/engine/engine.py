"""The engine: one thread that loads the model and then turns in a loop, batching whoever is there.

Each turn admits and prefills newcomers, decodes one token for everyone, and hands all events to the event loop
in one call. It never waits for a reader. Telemetry reads `snapshot`; the engine does not know about it.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch

from inference.engine.generation import Event, Failed, Finished, Generation, Prompt, Timeline
from inference.engine.models import LoadedModel
from inference.engine.sampling import choose
from inference.engine.scheduler import QueueClosedError, Scheduler

_log = logging.getLogger(__name__)

IDLE_TURN_SECONDS = 0.4
"""An idle loop turns this often, so that a flat step counter means a hang and nothing else."""
_PREFILL_TOKENS_PER_TURN = 512
"""After so many prompt tokens in one turn, newcomers wait for the next, so that running answers do not stall."""


class Phase(StrEnum):
    """Where the engine is in its life."""

    LOADING = "loading"
    SERVING = "serving"
    DEAD = "dead"
    STOPPED = "stopped"


class EngineUnavailableError(Exception):
    """The engine takes no requests; the message says why."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The engine at one moment. Right also while it hangs."""

    phase: Phase
    reason: str
    """Why it does not serve; empty where it does."""
    running: int
    waiting: int
    steps: int
    """Turns since the start."""
    prompt_tokens: int
    """Prompt tokens prefilled since the start."""
    generated_tokens: int
    """Tokens generated since the start."""
    since_turn_seconds: float
    """How long ago a turn last ended."""


class Engine:
    """Serves generations from one model. `start` and all other methods are called on the event loop's thread.

    Args:
        load: Builds the model; runs on the engine's thread.
        slots: Sequences in one batch, at most.
        queue_limit: Requests that may wait, at most.
        before_turn: Runs on the engine's thread before each turn; faults block here.
        on_load_failure: Runs on the engine's thread when the model could not be loaded.
    """

    def __init__(
        self,
        load: Callable[[], LoadedModel],
        slots: int,
        queue_limit: int,
        before_turn: Callable[[], None],
        on_load_failure: Callable[[], None],
    ) -> None:
        self._load = load
        self._scheduler = Scheduler(slots, queue_limit)
        self._before_turn = before_turn
        self._on_load_failure = on_load_failure
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._stopping = threading.Event()
        self._phase, self._reason = Phase.LOADING, "the model is being loaded"
        self._model: LoadedModel | None = None
        self._outbox: list[tuple[Generation, Event]] = []
        self._steps = self._prompt_tokens = self._generated_tokens = 0
        self._turned = time.monotonic()

    def start(self) -> None:
        """Begin to load the model; requests are refused until that is done."""
        self._event_loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """End the loop and whatever still runs; whether the thread ended in time (an idle one takes a turn)."""
        self._stopping.set()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def model(self) -> LoadedModel:
        """What is served.

        Raises:
            EngineUnavailableError: Nothing yet, or no longer.
        """
        if self._phase is not Phase.SERVING or self._model is None:
            raise EngineUnavailableError(self._reason)
        return self._model

    def submit(self, prompt: Prompt, timeline: Timeline) -> Generation:
        """Queue a request.

        Raises:
            QueueFullError: Too many wait already.
            EngineUnavailableError: The engine is loading, dead or stopped.
        """
        generation = Generation(prompt, timeline, self.model.tokenizer.decoder())
        try:
            self._scheduler.enqueue(generation)
        except QueueClosedError:
            raise EngineUnavailableError(self._reason) from None
        return generation

    def cancel(self, generation: Generation) -> None:
        """Forget a request, finished or not; its slot is free after the current step."""
        self._scheduler.cancel(generation)

    def snapshot(self) -> Snapshot:
        """The engine as it is now; never waits for a step."""
        return Snapshot(
            phase=self._phase,
            reason=self._reason,
            running=len(self._scheduler.rows),
            waiting=self._scheduler.waiting,
            steps=self._steps,
            prompt_tokens=self._prompt_tokens,
            generated_tokens=self._generated_tokens,
            since_turn_seconds=time.monotonic() - self._turned,
        )

    def _run(self) -> None:
        try:
            self._model = self._load()
        except Exception as error:  # noqa: BLE001 - from half a dozen libraries, and all mean: nothing to serve
            _log.error("the model could not be loaded: %s", error)
            self._end(Phase.DEAD, f"the model could not be loaded: {error}")
            self._on_load_failure()
            return
        try:
            _log.info("ready%s", f"; {self._model.note}" if self._model.note else "")
            self._phase, self._reason = Phase.SERVING, ""
            while not self._stopping.is_set():
                self._turn(self._model)
            self._end(Phase.STOPPED, "the service is shutting down")
        except Exception:  # noqa: BLE001 - whatever ends this thread, health must say so and nobody may wait for ever
            _log.exception("the engine died")
            self._end(Phase.DEAD, "the engine died; see its log")

    def _turn(self, model: LoadedModel) -> None:
        self._scheduler.wait_for_work(IDLE_TURN_SECONDS)
        self._before_turn()
        self._drop_cancelled(model)
        self._admit(model)
        self._decode(model)
        self._flush()
        self._steps += 1
        self._turned = time.monotonic()

    def _drop_cancelled(self, model: LoadedModel) -> None:
        for generation in self._scheduler.rows:
            if generation.cancelled:
                self._retire(model, generation)

    def _admit(self, model: LoadedModel) -> None:
        budget = _PREFILL_TOKENS_PER_TURN
        while budget > 0 and (admitted := self._scheduler.admit()):
            row, generation = admitted
            generation.timeline.admitted = time.monotonic()
            budget -= len(generation.prompt.tokens)
            self._prefill(model, row, generation)

    def _prefill(self, model: LoadedModel, row: int, generation: Generation) -> None:
        tokens = generation.prompt.tokens
        try:
            logits = model.runner.prefill(row, tokens)
        except Exception as error:  # noqa: BLE001 - nobody else is in this pass: the failure is this prompt's alone
            _log.exception("a prefill of %d tokens failed", len(tokens))
            error_type = "oom" if isinstance(error, torch.OutOfMemoryError) else "internal_error"
            self._outbox.append((generation, Failed(error_type, "the prompt could not be processed")))
            self._retire(model, generation)
            return
        self._prompt_tokens += len(tokens)
        self._accept(model, (generation,), logits[None])

    def _decode(self, model: LoadedModel) -> None:
        rows = self._scheduler.rows
        if rows:
            logits = model.runner.decode([row.tokens[-1] for row in rows], [row.cached for row in rows])
            self._accept(model, rows, logits)

    def _accept(self, model: LoadedModel, rows: tuple[Generation, ...], logits: torch.Tensor) -> None:
        tokens = choose(logits, [row.sampler for row in rows])
        now = time.monotonic()
        events = [(row, row.accept(token, now, model.ends)) for row, token in zip(rows, tokens, strict=True)]
        self._generated_tokens += len(tokens)
        self._outbox += events
        # Only now: a row that moves must already count the token that this pass wrote to the cache.
        for generation, event in events:
            if isinstance(event, Finished):
                self._retire(model, generation)

    def _retire(self, model: LoadedModel, generation: Generation) -> None:
        if move := self._scheduler.retire(generation):
            moved = self._scheduler.rows[move.target]
            model.runner.move(move.source, move.target, moved.cached)

    def _flush(self) -> None:
        events, self._outbox = self._outbox, []
        if events:
            self._event_loop.call_soon_threadsafe(_deliver, events)

    def _end(self, phase: Phase, reason: str) -> None:
        self._phase, self._reason = phase, reason
        self._outbox += [(generation, Failed("engine_dead", reason)) for generation in self._scheduler.close()]
        self._flush()


def _deliver(events: list[tuple[Generation, Event]]) -> None:
    for generation, event in events:
        generation.deliver(event)
