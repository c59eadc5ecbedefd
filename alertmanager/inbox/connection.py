"""HTTP connections that the application can cut, which ASGI has no word for."""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

Peer = tuple[str, int]


class CuttableConnection(H11Protocol):
    """Uvicorn's protocol, which remembers its transport by the peer's address."""

    _open: ClassVar[dict[Peer, asyncio.Transport]] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember the connection."""
        super().connection_made(transport)
        if self.client is not None:
            self._open[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self.client is not None:
            self._open.pop(self.client, None)
        super().connection_lost(exc)

    @classmethod
    def cut(cls, peer: Peer) -> None:
        """Reset the connection from a peer, so that it gets no answer at all."""
        transport = cls._open.get(peer)
        if transport is not None:
            transport.abort()
