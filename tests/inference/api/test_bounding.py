"""A client that takes nothing of its answer; over a real connection the kernel alone would take a megabyte of it."""

import asyncio

import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from inference.api.bounding import PatientSending

PATIENCE = 1.0
"""Seconds: so many that a machine that stands still for half of them leaves the outcome as it is."""

SCOPE = {"type": "http", "asgi": {"spec_version": "2.3"}}


async def answer(send):
    """Stream two pieces to a client; how that ended."""
    response = StreamingResponse(iter(["one", "two"]))
    try:
        await PatientSending(response, seconds=PATIENCE)(SCOPE, asyncio.Event().wait, send)
    except ClientDisconnect:
        return "gone"
    return "answered"


async def reads(_message):
    pass


async def reads_slowly(_message):
    # Four messages: the whole answer takes longer than one message may.
    await asyncio.sleep(0.4 * PATIENCE)


async def stands_still(message):
    if message.get("body") == b"two":
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("client", "ended"),
    [(reads, "answered"), (reads_slowly, "answered"), (stands_still, "gone")],
    ids=["reads", "reads slowly", "stands still"],
)
def test_a_client_that_takes_nothing_for_too_long_is_taken_for_gone(client, ended):
    assert asyncio.run(asyncio.wait_for(answer(client), 30 * PATIENCE)) == ended
