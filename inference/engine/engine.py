"""The engine: one thread that loads the model, turns in a loop and comes back to life where it died.

All its public methods belong to the event loop's thread and none waits for a step. Telemetry reads `snapshot`; the
engine does not know about it.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from inference.engine.disturbances import Disturbances
from inference.engine.generation import Event, Failed, Generation, Prompt, Timeline
from inference.engine.ledger import CollectionClock
from inference.engine.models import LoadedModel
from inference.engine.scheduler import QueueClosedError, Scheduler
from inference.engine.turning import Counters, OnTurn, Surroundings, Turning

_log = logging.getLogger(__name__)

IDLE_TURN_SECONDS = 0.4
"""An idle loop turns this often, so that a flat step counter means a hang and nothing else."""
_STEADY_SECONDS = 60.0
"""A life of such length was a good one: the next death is the first again."""


class Phase(StrEnum):
    """Where the engine is in its life."""

    LOADING = "loading"
    SERVING = "serving"
    DEAD = "dead"
    """Until it is loaded again, or for good: the reason says which."""
    STOPPED = "stopped"


class EngineUnavailableError(Exception):
    """The engine takes no requests; the message says why."""


class UnservableError(ValueError):
    """The request could never be served; the message says why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, and for how long."""

    slots: int
    """Sequences in one batch, at most."""
    queue_limit: int
    """Requests that may wait, at most."""
    queue_seconds: float | None = None
    """A request that got no place in the batch for so long fails with timeout_queue; None for no limit."""
    request_seconds: float | None = None
    """A request that is not answered so long after its arrival fails with timeout_decode; None for no limit."""
    kv_tokens: int | None = None
    """Tokens in the KV cache, at most; None for as many as the slots hold, and then nobody is ever preempted."""
    restart_seconds: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
    """A dead engine waits so long before each attempt to live again; after the last one it gives up."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The engine at one moment. Right also while it hangs. Counters run on over its restarts."""

    phase: Phase
    reason: str
    """Why it does not serve; empty where it does."""
    running: int
    waiting: int
    steps: int
    """Turns since the start."""
    prompt_tokens: int
    """Prompt tokens prefilled since the start; what is read again after a preemption does not count again."""
    generated_tokens: int
    """Tokens generated since the start."""
    since_turn_seconds: float
    """How long ago a turn last ended."""
    kv_used_tokens: int = 0
    kv_capacity_tokens: int = 0
    """0 while no model is loaded."""
    preemptions: int = 0
    restarts: int = 0
    """Times that the engine died and was started again."""
    fingerprint: str = ""
    """Of the model that was loaded last; empty before the first."""


class Engine:
    """Serves generations from one model. All methods are called on the event loop's thread.

    Args:
        load: Builds the model; runs on the engine's thread.
        limits: How much at once, and for how long.
        disturbances: Who may break things.
        on_give_up: Runs on the engine's thread when the first load failed or the last restart did.
        on_turn: Runs on the engine's thread after each turn that had work.
    """

    def __init__(
        self,
        load: Callable[[], LoadedModel],
        limits: Limits,
        disturbances: Disturbances,
        on_give_up: Callable[[], None],
        on_turn: OnTurn = lambda _seconds, _batch_size: None,
    ) -> None:
        self._load = load
        self._limits = limits
        self._disturbances = disturbances
        self._on_give_up = on_give_up
        self._scheduler = Scheduler(limits.slots, limits.queue_limit)
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._stopping = threading.Event()
        self._phase, self._reason = Phase.LOADING, "the model is being loaded"
        self._model: LoadedModel | None = None
        self._fingerprint = ""
        self._counters = Counters()
        self._collections = CollectionClock()
        self._surroundings = Surroundings(
            self._scheduler, self._counters, self._collections, disturbances, self._send, on_turn
        )
        self._timers: dict[Generation, list[asyncio.TimerHandle]] = {}
        self._kv_capacity = self._restarts = self._lives = 0
        self._turned = time.monotonic()

    def start(self) -> None:
        """Begin to load the model; requests are refused until that is done."""
        self._event_loop = asyncio.get_running_loop()
        self._collections.start()
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """End the loop and whatever still runs; whether the thread ended in time (an idle one takes a turn)."""
        self._stopping.set()
        self._thread.join(seconds)
        self._collections.stop()
        return not self._thread.is_alive()

    @property
    def model(self) -> LoadedModel:
        """What is served.

        Raises:
            EngineUnavailableError: Nothing yet, or no longer.
        """
        model = self._model
        if self._phase is not Phase.SERVING or model is None:
            raise EngineUnavailableError(self._reason)
        return model

    def submit(self, prompt: Prompt, timeline: Timeline) -> Generation:
        """Queue a request; `cancel` must be called for it, whatever becomes of it.

        Raises:
            UnservableError: It is longer than the context or names tokens that the model does not have.
            QueueFullError: Too many wait already.
            EngineUnavailableError: The engine is loading, dead or stopped.
        """
        model = self.model
        _refuse_unservable(prompt, model)
        generation = Generation(prompt, timeline, model.tokenizer.decoder(prompt.tokens if prompt.continues else ()))
        try:
            self._scheduler.enqueue(generation)
        except QueueClosedError:
            raise EngineUnavailableError(self._reason) from None
        self._watch(generation)
        return generation

    def cancel(self, generation: Generation) -> None:
        """Forget a request, finished or not; its slot is free after the current step."""
        for timer in self._timers.pop(generation, ()):
            timer.cancel()
        self._scheduler.cancel(generation)

    def snapshot(self) -> Snapshot:
        """The engine as it is now; never waits for a step."""
        return Snapshot(
            phase=self._phase,
            reason=self._reason,
            running=len(self._scheduler.rows),
            waiting=self._scheduler.waiting,
            steps=self._counters.steps,
            prompt_tokens=self._counters.prompt_tokens,
            generated_tokens=self._counters.generated_tokens,
            since_turn_seconds=time.monotonic() - self._turned,
            kv_used_tokens=self._scheduler.kv_used_tokens,
            # 0 without a model, and less where a fault took some.
            kv_capacity_tokens=min(self._kv_capacity, self._scheduler.kv_tokens),
            preemptions=self._counters.preemptions,
            restarts=self._restarts,
            fingerprint=self._fingerprint,
        )

    def _watch(self, generation: Generation) -> None:
        """Timers of the event loop, not of the engine: they must also ring while it hangs."""
        arrived = generation.timeline.arrived
        clocks = ((self._limits.queue_seconds, self._queued_too_long), (self._limits.request_seconds, self._too_late))
        self._timers[generation] = [
            self._event_loop.call_later(max(0.0, arrived + seconds - time.monotonic()), ring, generation)
            for seconds, ring in clocks
            if seconds is not None
        ]

    def _queued_too_long(self, generation: Generation) -> None:
        if generation.timeline.admitted is None:
            self._scheduler.cancel(generation)
            generation.deliver(Failed("timeout_queue", "no place became free in time; try again later"))

    def _too_late(self, generation: Generation) -> None:
        self._queued_too_long(generation)
        self._scheduler.cancel(generation)
        generation.deliver(Failed("timeout_decode", "the answer took too long and was broken off"))

    def _run(self) -> None:
        deaths = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._live()
            except Exception as error:  # noqa: BLE001 - whatever it is, health must say so and nobody may wait for ever
                deaths = 1 if time.monotonic() - began > _STEADY_SECONDS else deaths + 1
                if not self._restarts_after(error, deaths):
                    self._on_give_up()
                    return
        self._end(Phase.STOPPED, "the service is shutting down")

    def _restarts_after(self, error: Exception, deaths: int) -> bool:
        """Tell of a death and wait before the next life; False where there will be none."""
        waits = self._limits.restart_seconds
        served = self._phase is Phase.SERVING
        what = "the engine died" if served else f"the model could not be loaded: {error}"
        _log.error("%s", what, exc_info=error if served else None)
        # What could not be loaded the first time is not there, or not what it should be.
        if not self._lives or deaths > len(waits):
            self._end(Phase.DEAD, f"{what}; it does not come back by itself")
            return False
        self._end(Phase.DEAD, f"{what}; it starts again in {waits[deaths - 1]:g} s")
        self._stopping.wait(waits[deaths - 1])
        self._restarts += 1
        return True

    def _live(self) -> None:
        """Load and serve until the engine is stopped or its model taken away; raises whatever ends it otherwise."""
        self._end(Phase.LOADING, "the model is being loaded")
        self._disturbances.loading()
        if self._stopping.is_set():
            return
        model = self._model = self._load()
        self._scheduler.open(self._capacity(model))
        turning = Turning(model, self._surroundings)
        _log.info("ready%s", f"; {model.note}" if model.note else "")
        self._lives += 1
        self._fingerprint = model.fingerprint
        self._turned = time.monotonic()
        self._phase, self._reason = Phase.SERVING, ""
        try:
            while not self._stopping.is_set() and self._disturbances.keeps_model():
                turning.turn(IDLE_TURN_SECONDS)
                self._turned = time.monotonic()
        finally:
            turning.flush()

    def _capacity(self, model: LoadedModel) -> int:
        slots = self._limits.slots * model.runner.context_length
        self._kv_capacity = min(slots, self._limits.kv_tokens or slots)
        if self._kv_capacity < model.runner.context_length:
            raise ValueError(
                f"a KV cache of {self._kv_capacity} tokens is smaller than one context of {model.runner.context_length}"
            )
        return self._kv_capacity

    def _end(self, phase: Phase, reason: str) -> None:
        self._phase, self._reason = phase, reason
        self._model, self._kv_capacity = None, 0
        self._send([(generation, Failed("engine_dead", reason)) for generation in self._scheduler.close()])

    def _send(self, events: list[tuple[Generation, Event]]) -> None:
        if events:
            self._event_loop.call_soon_threadsafe(_deliver, events)


def _refuse_unservable(prompt: Prompt, model: LoadedModel) -> None:
    runner = model.runner
    if not prompt.tokens or prompt.max_tokens < 1 or len(prompt.tokens) + prompt.max_tokens > runner.context_length:
        raise UnservableError(f"prompt and answer must have 1 to {runner.context_length} tokens together")
    if not all(0 <= token < runner.vocabulary_size for token in prompt.tokens):
        raise UnservableError(f"token ids end at {runner.vocabulary_size - 1}")


def _deliver(events: list[tuple[Generation, Event]]) -> None:
    for generation, event in events:
        generation.deliver(event)
