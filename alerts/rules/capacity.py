"""How much one replica can do, and how many of them the present demand needs: signals for a board, no alert."""

from alerts import signals
from alerts.engines.adapter import record
from alerts.erlang import most_arrivals
from alerts.objectives import Capacity, Objectives
from alerts.rule import Group, Recording
from alerts.timing import Timing

MOST_REPLICAS = 64
"""Where counting ends: one more means more than these."""
_BY = "cluster, namespace, service"


def group(timing: Timing, objectives: Objectives) -> Group:
    """Demand of every service; capacity and replicas of those whose capacity was measured."""
    demand = record(signals.DEMAND, f"sum by ({_BY}) ({signals.REQUESTS})")
    measured = [(name, one.capacity) for name, one in objectives.services.items() if one.capacity is not None]
    return Group("capacity", (demand, *(rule for name, one in measured for rule in _service(name, one))), ())


def _service(name: str, capacity: Capacity) -> tuple[Recording, ...]:
    demand = signals.DEMAND.where(service=name)
    rate, wait = capacity.requests_per_second, capacity.wait_seconds
    limits = [most_arrivals(replicas, rate, wait) for replicas in range(1, MOST_REPLICAS + 1)]
    # Each number of replicas that is not enough adds one.
    needed = "\n+ ".join(f"({demand} > bool {limit:.6g})" for limit in limits)
    return (
        Recording(signals.REPLICA_CAPACITY.name, f"{demand} * 0 + {rate:g}"),
        Recording(signals.REPLICAS_FOR_WAIT.name, f"1\n+ {needed}"),
    )
