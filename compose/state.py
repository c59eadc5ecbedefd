"""The state directory: everything that a native stack writes, and what it remembers between commands."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LONGEST_SOCKET = 100
"""Bytes that a unix socket's path may have and still fit the kernel's 108, with the suffix supervisord adds."""


@dataclass(frozen=True, slots=True)
class State:
    """Paths below one directory. Only the owner can read it: it holds secrets, and whoever writes it runs as us."""

    root: Path
    """Absolute and resolved: processes are marked with it."""

    @property
    def bin(self) -> Path:
        """Prometheus, Alertmanager, node-exporter and their tools."""
        return self.root / "bin"

    @property
    def config(self) -> Path:
        """Rendered at every `up`; never edited."""
        return self.root / "config"

    @property
    def data(self) -> Path:
        """What the parts store; survives `down`."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """One rotated file a part."""
        return self.root / "log"

    @property
    def secrets(self) -> Path:
        """Files that the parts read credentials from."""
        return self.root / "secrets"

    @property
    def hold(self) -> Path:
        """One empty file for each part that is kept down."""
        return self.root / "hold"

    @property
    def socket(self) -> Path:
        """Where supervisord listens; in the temporary directory where the path would be too long for a socket."""
        path = self.root / "supervisor.sock"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET:
            return path
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"inferwatch-{name}" / "supervisor.sock"

    def create(self) -> None:
        """Make every directory that is missing.

        Raises:
            OSError: It cannot be written, or the socket's directory belongs to someone else.
        """
        for folder in (self.root, self.bin, self.config, self.data, self.log, self.secrets, self.hold):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.socket.parent.mkdir(exist_ok=True, mode=0o700)
        owner = self.socket.parent.lstat()
        if owner.st_uid != os.getuid() or self.socket.parent.is_symlink():
            raise PermissionError(
                f"{self.socket.parent} belongs to someone else; remove it or set INFERWATCH_STATE_DIR"
            )

    def write_secret(self, name: str, text: str) -> Path:
        """Write a file that only its owner can read, and return its path."""
        path = self.secrets / name
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        return path

    def remembered(self) -> Mapping[str, Any]:
        """What the running stack was started with; empty when none was, or when the file is damaged."""
        try:
            content = json.loads(self._memory.read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def remember(self, **values: object) -> None:
        """Keep what the stack is started with, so that later commands need no environment."""
        self._memory.write_text(json.dumps(values, indent=2) + "\n")

    def forget(self) -> None:
        """The stack is down: the next start begins from its environment and the defaults."""
        self._memory.unlink(missing_ok=True)

    @property
    def _memory(self) -> Path:
        return self.root / "stack.json"
