"""What a target says of its models: GET /v1/models. Knows nothing of completions."""

import asyncio
import json
from collections.abc import Mapping

import httpx

from exporters.probe.asking import AttemptFailedError, headers
from exporters.probe.config import MAX_NAME, Target

MAX_BYTES = 1 << 20
"""A server that lists more models than this is not read to the end."""


async def first_model(client: httpx.AsyncClient, target: Target) -> str:
    """The id of the first model that the server lists.

    Raises:
        AttemptFailedError: It lists none, or not in the protocol.
        httpx.TransportError: It cannot be reached, or breaks off.
    """
    for entry in await _entries(client, target):
        model = entry.get("id")
        if isinstance(model, str) and model and model.isprintable() and len(model) <= MAX_NAME:
            return model
    raise AttemptFailedError("bad_stream")


async def listed_version(client: httpx.AsyncClient, target: Target, model: str, timeout: float) -> str | None:
    """What the server loaded under the model's name; empty where it does not say, None where it does not answer.

    From `root`: in vLLM and SGLang the path or hub id that was loaded. Not from `created`, which vLLM, SGLang and
    TensorRT-LLM fill with the time of the answer, and the reference service with that of its start: every look-up
    or restart would be a new version, whose first answer, right or wrong, would be learned anew.

    Args:
        client: As `new_client` makes it.
        target: Whom to ask.
        model: The id to look for.
        timeout: Seconds that it may take.
    """
    try:
        async with asyncio.timeout(timeout):
            entries = await _entries(client, target)
    except (TimeoutError, httpx.TransportError, AttemptFailedError):
        return None
    roots = (entry.get("root") for entry in entries if entry.get("id") == model)
    return next((root[:MAX_NAME] for root in roots if isinstance(root, str)), "")


async def _entries(client: httpx.AsyncClient, target: Target) -> list[Mapping[str, object]]:
    """The entries of the list."""
    body = b""
    async with client.stream("GET", f"{target.url}/v1/models", headers=headers(target)) as response:
        if response.status_code != httpx.codes.OK:
            raise AttemptFailedError("http_status")
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_BYTES:
                raise AttemptFailedError("bad_stream")
    try:
        entries = json.loads(body)["data"]
    except (ValueError, LookupError, TypeError) as error:
        raise AttemptFailedError("bad_stream") from error
    if not isinstance(entries, list):
        raise AttemptFailedError("bad_stream")
    return [entry for entry in entries if isinstance(entry, dict)]
