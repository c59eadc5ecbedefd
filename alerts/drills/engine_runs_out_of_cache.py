"""The engine has room in its KV cache for part of a batch: running answers lose their place and are computed again."""

from alerts.drills.calls import call
from alerts.drills.drill import TICKET, Drill
from alerts.drills.stack import Stack
from alerts.drills.traffic import Traffic

_TRAFFIC = Traffic(clients=4, max_tokens=40)
"""All four begin in what is left of the cache, and only two have room to end: the others are preempted, some twice.
So few and short that each, and the prober's, has a whole answer within a second."""


def _inject(stack: Stack) -> None:
    call("PUT", f"{stack.url('inference')}/admin/faults/small_cache")
    _TRAFFIC.start(stack)


def _mend(stack: Stack) -> None:
    _TRAFFIC.stop()
    call("DELETE", f"{stack.url('inference')}/admin/faults/small_cache")


DRILL = Drill(
    name="engine_runs_out_of_cache",
    story="Most of the KV cache is gone, through the fault API, while four users keep asking.",
    alert="EnginePreemptionStorm",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Requests are computed twice", "inference"),
)
