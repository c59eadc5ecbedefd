"""The process with many clients at once, and what they see when it ends under them."""

import asyncio
import json
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

STREAMS = 200


def resident_mebibytes(pid: int) -> int:
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) // 1024


@pytest.fixture(scope="module")
def first(started):
    """A service that is killed in the end."""
    return started()


@pytest.fixture
def second(started):
    """The one after it, on the same model cache."""
    return started("--shutdown-seconds", "1")


async def stream(client: httpx.AsyncClient, body: dict) -> str:
    async with client.stream("POST", "/v1/completions", json=body) as response:
        return "".join([text async for text in response.aiter_text()])


def test_200_streams_at_once_are_all_answered_in_bounded_memory(first, asking):
    async def all_at_once() -> list[str]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=first.url, timeout=60, limits=limits) as client:
            bodies = [asking.body(f"client {number % 50}", 32, stream=True) for number in range(STREAMS)]
            return await asyncio.gather(*(stream(client, body) for body in bodies))

    asking.complete(first.client, "warm", 2)
    before = resident_mebibytes(first.process.pid)
    answers = [asking.chunks(text) for text in asyncio.run(all_at_once())]
    said = ["".join(chunk["choices"][0]["text"] for chunk in chunks) for chunks in answers]
    assert [len(text) for text in said] == [32] * STREAMS
    # Whoever asked the same was told the same, whoever else was in the batch.
    assert len(set(said)) == 50
    assert resident_mebibytes(first.process.pid) < before + 150
    first.until(first.idle, seconds=2)


def clients(pool: ThreadPoolExecutor, service, asking) -> list:
    """Eight clients in the middle of long answers."""
    body = asking.body("hello", 1000, stream=True)
    futures = [pool.submit(httpx.post, f"{service.url}/v1/completions", json=body, timeout=20) for _ in range(8)]
    service.until(lambda: service.client.get("/metrics").text.count('llm_requests_running{model="inferwatch-tiny"} 8'))
    return futures


def test_sigkill_under_load_breaks_every_stream_at_once(first, asking):
    with ThreadPoolExecutor(8) as pool:
        futures = clients(pool, first, asking)
        first.process.kill()
        errors = [future.exception(timeout=5) for future in futures]
    assert all(isinstance(error, httpx.RemoteProtocolError | httpx.ReadError) for error in errors)


def test_sigterm_under_load_lets_nobody_hang_and_exits_0(second, asking):
    with ThreadPoolExecutor(8) as pool:
        futures = clients(pool, second, asking)
        began = time.monotonic()
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(20) == 0
        assert time.monotonic() - began < 10
        for future in futures:
            # Whoever was not done in time is told so, or cut off; a whole answer has its end.
            assert future.exception() is not None or "data: " in future.result().text
    # What the service broke off is not told as its clients' own choice.
    ended = [line for line in map(json.loads, second.log.read_text().splitlines()) if line.get("error_type")]
    assert {line["error_type"] for line in ended} <= {"engine_dead"}
