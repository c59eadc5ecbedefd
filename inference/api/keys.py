"""API keys from a file: who may ask for text.

    # one line each, name and key
    team-a:3f7c0a52b1d94e6f

The name goes to the audit log and to the rate limit; the key goes nowhere.
"""

import hashlib
import hmac
import logging
import re
from pathlib import Path

_log = logging.getLogger(__name__)

_LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,64}):(?P<key>[!-~]{16,512})")
_Stamp = tuple[int, int, int]


class InvalidKeysError(Exception):
    """The file cannot be used; the message names the line and never holds a key."""


class KeyFile:
    """The keys of a file, read again when it changes.

    Args:
        path: Of the file.

    Raises:
        InvalidKeysError: It cannot be read, or says something else than keys.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._look()
        self._digests = read(path)

    def name_of(self, presented: str) -> str | None:
        """Whose key this is; None where it is nobody's. Takes as long for any wrong key as for any other."""
        self._reload()
        digest = _digest(presented)
        found = None
        for name, known in self._digests.items():
            if hmac.compare_digest(digest, known):
                found = name
        return found

    def _reload(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._digests = read(self._path)
            _log.info("API keys read again: %d", len(self._digests))
        except InvalidKeysError as error:
            # Whoever edits the file must not lock everyone out by a slip.
            _log.error("the keys from before stay valid: %s", error)

    def _look(self) -> _Stamp | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def read(path: Path) -> dict[str, bytes]:
    """Digests of the keys, by name.

    Raises:
        InvalidKeysError: Naming what is wrong.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidKeysError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not text'}") from None
    digests: dict[str, bytes] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if not found:
            raise InvalidKeysError(f"{path} line {number}: not name:key, the key of 16 or more visible characters")
        if found["name"] in digests:
            raise InvalidKeysError(f"{path} line {number}: the name {found['name']} stands there twice")
        digests[found["name"]] = _digest(found["key"])
    if not digests:
        raise InvalidKeysError(f"{path} holds no key; write one line: name:key")
    return digests


def _digest(key: str) -> bytes:
    # Of equal length, so that the comparison tells nothing about the key's.
    return hashlib.sha256(key.encode()).digest()
