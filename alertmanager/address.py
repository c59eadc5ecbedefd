"""HOST:PORT as our commands take it."""

import socket
from typing import NamedTuple


class Address(NamedTuple):
    """Where to listen or to connect."""

    host: str
    port: int
    """0: let the system choose."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> Address:
    """Read `127.0.0.1:8025`, `localhost:0` or `[::1]:8025`.

    Raises:
        ValueError: Where it is anything else.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"expected HOST:PORT, got {text!r}")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def listen(address: Address) -> socket.socket:
    """A listening socket.

    Raises:
        OSError: Where the port is taken or the host is not this machine's; the message names the address.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        raise OSError(f"cannot listen on {address}: {error.strerror or error}") from error
