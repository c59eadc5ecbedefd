"""Erlang C: how long customers wait in a queue of n equal servers (M/M/n).

A first-order picture of a service: a replica counts as one server that takes as many requests a second as its knee.
Real engines batch, so one that is half idle answers faster than this says; arrivals that come in bursts wait longer.
"""

_STEPS = 60
"""Halvings of the search for a rate: the last one is far below what a float can tell."""


def waiting(servers: int, load: float) -> float:
    """Probability that a customer has to wait.

    Args:
        servers: At least 1.
        load: Arrivals during one mean service time, above 0 and below the number of servers.
    """
    blocked = 1.0  # Erlang B, by its recursion, which does not overflow
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    busy = load / servers
    return blocked / (1 - busy * (1 - blocked))


def mean_wait(servers: int, arrivals: float, rate: float) -> float:
    """Seconds that a customer waits on average.

    Args:
        servers: At least 1.
        arrivals: Customers a second, above 0 and below what all servers take.
        rate: Customers a second that one server takes.
    """
    return waiting(servers, arrivals / rate) / (servers * rate - arrivals)


def most_arrivals(servers: int, rate: float, wait: float) -> float:
    """Arrivals a second up to which customers wait no longer than this on average."""
    low, high = 0.0, servers * rate
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_wait(servers, middle, rate) <= wait else (low, middle)
    return low
