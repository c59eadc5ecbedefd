"""What every request to a target shares: the client, the headers, how it can fail. Knows no route."""

from typing import Literal

import httpx

from exporters.probe.config import Target

Reason = Literal["connect", "timeout", "http_status", "bad_stream", "no_tokens"]
"""Why an attempt failed; the catalogue's REASONS, which says what each means."""


class AttemptFailedError(Exception):
    """An answer came that no user could use."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


def new_client() -> httpx.AsyncClient:
    """A client that opens a connection per request, so that every attempt pays what a new user pays.

    The environment's proxies are ignored: the probe measures the URL that its configuration names. The
    deadline is the attempt's own, over all of its parts.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.AsyncClient(limits=limits, timeout=None, trust_env=False)  # noqa: S113


def headers(target: Target) -> dict[str, str]:
    """No compression: the stream is read as raw bytes, and a buffer in the way would hide the first token."""
    common = {"accept-encoding": "identity", "user-agent": "inferwatch-probe"}
    return common | ({"authorization": f"Bearer {target.api_key}"} if target.api_key else {})
