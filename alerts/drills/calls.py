"""HTTP calls of drills to a stack, never through a proxy: what they ask is on this host or on its own network."""

import time
from typing import Any
from urllib.parse import quote

import httpx

_SECONDS = 5.0
_LONGEST_START_SECONDS = 60.0


def call(method: str, url: str, body: object = None) -> Any:  # noqa: ANN401 - whatever JSON the part answers
    """Call and return the answer's JSON, None where it has no body.

    Raises:
        httpx.HTTPError: If the part does not answer, or answers with an error.
    """
    answer = httpx.request(method, url, json=body, timeout=_SECONDS, trust_env=False)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def query(prometheus: str, expr: str) -> list[Any]:
    """Result of an instant query to a Prometheus at a base URL: series with their labels and value.

    Raises:
        httpx.HTTPError: If it does not answer, or refuses the expression.
    """
    found: list[Any] = call("GET", f"{prometheus}/api/v1/query?query={quote(expr)}")["data"]["result"]
    return found


def until_it_answers(url: str) -> None:
    """Wait for a part that was let start again: how long it takes is no property of the alerting; 60 s at most."""
    give_up = time.monotonic() + _LONGEST_START_SECONDS
    while time.monotonic() < give_up:
        try:
            httpx.get(url, timeout=_SECONDS, trust_env=False)
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return
