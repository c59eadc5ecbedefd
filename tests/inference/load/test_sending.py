"""The generator against services that write their streams otherwise."""

import asyncio

import httpx
import pytest

from inference.load.plan import Arrival
from inference.load.results import Results
from inference.load.sending import _request

PIECE = 'data:{"choices": [{"text": "a"}]}\n\n'


def results_of(stream):
    async def ask():
        results = Results()
        transport = httpx.MockTransport(lambda _: httpx.Response(200, text=stream))
        async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
            results.open += 1
            await _request(client, "m", Arrival(0.0, "hello", 4), results)
        return results

    return asyncio.run(ask())


@pytest.mark.parametrize("extra", [": ping\n\n", "event: message\n", "id: 7\n", ""])
def test_what_belongs_to_the_stream_alone_is_no_piece_of_the_answer(extra):
    results = results_of(f"{extra}{PIECE}{extra}{PIECE}data: [DONE]\n\n")
    assert (results.ok, results.tokens, dict(results.errors)) == (1, 2, {})


@pytest.mark.parametrize("data", ["<html>", "[]", "null", '{"other": 1}'])
def test_something_else_is_an_error_of_that_request_alone(data):
    results = results_of(f"data: {data}\n\n")
    assert (results.ok, dict(results.errors)) == (0, {"not OpenAI's stream": 1})
