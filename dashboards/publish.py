"""Boards in a Grafana that somebody else runs: checked, pushed, compared and cleaned up over its API.

The stack's own Grafana reads the same files from disk (compose/grafana/provisioning); the two must not own the same
Grafana, which refuses to save what it has from a file.
"""

import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException, GrafanaUnauthorizedError
from requests.exceptions import RequestException, Timeout

from dashboards.board import TAG
from dashboards.marks import DRILL_TAGS
from dashboards.sdk import from_json, to_json

FOLDER_UID, FOLDER_TITLE = "inferwatch", "Inferwatch"
LEAST_VERSION = (11, 0)
"""Grafana before it draws classic boards by other code, and knows other addresses of single panels."""
_TIMEOUT_SECONDS = 10.0
_MOST_BOARDS = 5000
"""What one search can return."""
_SAVED_BY_GRAFANA = ("id", "version", "iteration")

T = TypeVar("T")
Boards = Mapping[str, str]
"""Uid to JSON, as `dashboards.__main__.render` makes them."""


class PublishError(RuntimeError):
    """Grafana cannot be reached or refuses; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A board that Grafana has not, or has otherwise."""

    uid: str
    lines: tuple[str, ...]
    """A unified diff from Grafana's to ours; empty where Grafana has none."""

    @property
    def missing(self) -> bool:
        """Whether Grafana has no board of this uid."""
        return not self.lines


class Grafana:
    """One Grafana, through a service account's token; open until it is closed."""

    def __init__(self, url: str, token: str) -> None:
        """Connect, and refuse what could not take the boards.

        Raises:
            PublishError: The URL, the token or the version will not do.
        """
        if not url.startswith(("http://", "https://")) or not urlsplit(url).hostname:
            raise PublishError(f"{url!r} is no http(s) URL; set GRAFANA_URL or --url, as https://grafana.example.org")
        self.url = url.rstrip("/")
        self._api = GrafanaApi.from_url(f"{self.url}/", credential=token, timeout=_TIMEOUT_SECONDS)
        try:
            self.version = self._checked_version()
            self._asked("read its folders", lambda: self._api.folder.get_all_folders())
        except PublishError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what is left open to Grafana."""
        self._api.client.s.close()

    def differences(self, boards: Boards) -> list[Difference]:
        """Boards that are missing there or differ, in order of their uids."""
        found = []
        for uid, ours in sorted(boards.items()):
            theirs = self._board(uid)
            if theirs is None:
                found.append(Difference(uid, ()))
            elif lines := _changed(_normal(theirs["dashboard"]), _normal(json.loads(ours)), uid):
                found.append(Difference(uid, lines))
        return found

    def push(self, boards: Boards, *, dry_run: bool = False) -> list[str]:
        """Write what is missing or differs into our folder; returns the uids.

        Raises:
            PublishError: The token may not write, or Grafana has one of the boards from a file.
        """
        changed = [one.uid for one in self.differences(boards)]
        for uid in changed:
            self._refuse_provisioned(uid)
        if changed and not dry_run:
            self._make_folder()
            for uid in changed:
                self._write(uid, json.loads(boards[uid]))
        return changed

    def prune(self, boards: Boards, *, dry_run: bool = False) -> list[str]:
        """Delete boards that carry our tag, lie in our folder and are no longer ours; returns their uids."""
        search = self._asked(
            "search its boards",
            lambda: self._api.search.search_dashboards(tag=TAG, type_="dash-db", limit=_MOST_BOARDS),
        )
        gone = sorted(
            one["uid"]
            for one in search
            # Copies that people made for themselves lie in folders of theirs.
            if one.get("folderUid") == FOLDER_UID and TAG in one.get("tags", ()) and one["uid"] not in boards
        )
        for uid in gone if not dry_run else ():
            self._delete(uid)
        return gone

    def mark_drill(self, name: str, began: float, ended: float) -> None:
        """Leave a mark over every graph, from and to a time in seconds since the epoch."""
        self._asked(
            "leave a mark",
            lambda: self._api.annotations.add_annotation(
                time_from=round(began * 1000), time_to=round(ended * 1000), tags=list(DRILL_TAGS), text=f"drill {name}"
            ),
        )

    def _checked_version(self) -> str:
        answer = self._asked("say which version it is", lambda: self._api.client.GET("/health"))
        said = str(answer.get("version", "")) if isinstance(answer, dict) else ""
        if not (numbers := re.match(r"(\d+)\.(\d+)", said)):
            raise PublishError(f"{self.url} answers, but is no Grafana: {self.url}/api/health names no version")
        if tuple(map(int, numbers.groups())) < LEAST_VERSION:
            raise PublishError(f"Grafana {said} at {self.url} is too old: the boards need {_dotted(LEAST_VERSION)}")
        return said

    def _board(self, uid: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._asked(f"read the board {uid}", lambda: self._api.dashboard.get_dashboard(uid))
        except _NotThereError:
            return None
        return found

    def _refuse_provisioned(self, uid: str) -> None:
        if (there := self._board(uid)) and there.get("meta", {}).get("provisioned"):
            raise PublishError(
                f"Grafana at {self.url} has the board {uid} from a file, and refuses to save it; change the files that "
                "it is provisioned from, or push to a Grafana that has none"
            )

    def _make_folder(self) -> None:
        try:
            self._asked("read its folders", lambda: self._api.folder.get_folder(FOLDER_UID))
        except _NotThereError:
            self._asked("make a folder", lambda: self._api.folder.create_folder(FOLDER_TITLE, FOLDER_UID))

    def _write(self, uid: str, board: dict[str, Any]) -> None:
        body = {
            "dashboard": board,
            "folderUid": FOLDER_UID,
            "overwrite": True,
            "message": f"inferwatch {version('inferwatch')}",
        }
        self._asked(f"write the board {uid}", lambda: self._api.dashboard.update_dashboard(body))

    def _delete(self, uid: str) -> None:
        self._asked(f"delete the board {uid}", lambda: self._api.dashboard.delete_dashboard(uid))

    def _asked(self, what: str, call: Callable[[], T]) -> T:
        """The answer to a call, or an error that says what was asked and what to do."""
        try:
            return call()
        except Timeout as error:
            raise PublishError(f"{self.url} did not answer within {_TIMEOUT_SECONDS:g} s") from error
        except GrafanaUnauthorizedError as error:
            raise PublishError(
                f"Grafana at {self.url} does not know this token: it is wrong, expired or of another organisation; "
                "make a new one for a service account with the role Editor"
            ) from error
        except GrafanaClientError as error:
            raise self._refused(what, error) from error
        except GrafanaException as error:
            raise PublishError(f"Grafana at {self.url} failed to {what}: {error.message}") from error
        except (RequestException, OSError, ValueError) as error:
            # ValueError: a page instead of JSON.
            raise PublishError(f"no Grafana answers at {self.url}: {error}") from error

    def _refused(self, what: str, error: GrafanaClientError) -> PublishError:
        if error.status_code == 404:
            return _NotThereError(f"no Grafana answers at {self.url}: asked to {what}, it says 404")
        if error.status_code == 403:
            return PublishError(f"this token may not {what} at {self.url}: its service account needs the role Editor")
        return PublishError(f"Grafana at {self.url} would not {what}: {error.message}")


class _NotThereError(PublishError):
    """404: there is no such board or folder, or no Grafana at all."""


def _normal(board: dict[str, Any]) -> list[str]:
    """A board as lines that can be compared: read and written by one model, without what Grafana adds."""
    kept = {key: value for key, value in board.items() if key not in _SAVED_BY_GRAFANA}
    try:
        return to_json(from_json(kept)).splitlines()
    except (KeyError, TypeError, ValueError):  # what somebody else put there need not fit our model
        return json.dumps(kept, sort_keys=True, indent=2).splitlines()


def _changed(theirs: list[str], ours: list[str], uid: str) -> tuple[str, ...]:
    return tuple(difflib.unified_diff(theirs, ours, f"grafana/{uid}", f"ours/{uid}", n=1, lineterm=""))


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers)) + " or newer"
