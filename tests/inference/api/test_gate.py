"""The rate of callers without keys, who are told apart by their address."""

import asyncio

import limits
import pytest

from inference.api.gate import Gate
from inference.telemetry.ended import Exchange


def statuses(*addresses):
    """What each caller in turn is answered, where one request a minute is free."""
    answered = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        if message["type"] == "http.response.start":
            answered.append(message["status"])

    async def ask():
        gate = Gate(app, None, limits.parse("1/minute"))
        for address in addresses:
            exchange = Exchange("POST", "/v1/completions", client=address)
            scope = {"type": "http", "path": exchange.path, "headers": [], "state": {"exchange": exchange}}
            await gate(scope, None, send)

    asyncio.run(ask())
    return answered


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("192.0.2.1", "192.0.2.1", 429),
        ("192.0.2.1", "192.0.2.2", 200),
        ("2001:db8::1", "2001:db8::2", 429),
        ("2001:db8::1", "2001:db8:0:1::1", 200),
    ],
)
def test_a_rate_is_an_address_and_of_ipv6_a_whole_network(first, second, status):
    assert statuses(first, second) == [200, status]
