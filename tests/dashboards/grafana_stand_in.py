"""A stand-in for Grafana: the few API calls that publishing uses, over real HTTP, and nothing else of it.

It is no Grafana: what it refuses and keeps follows Grafana's documentation, not its code. It saves a board as Grafana
does, with an id and a version of its own.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "glsa_right"


@dataclass
class State:
    """What it holds, and how it misbehaves."""

    version: str = "13.2.0"
    boards: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By uid: dashboard, folderUid, message, provisioned."""
    folders: dict[str, str] = field(default_factory=dict)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    readonly: bool = False
    """Whether the token has the role Viewer."""
    broken: bool = False
    """Whether it answers 500 to whatever it is asked."""
    writes: list[str] = field(default_factory=list)
    """Method and path of every call that could change something."""
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    state: State
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, method: str) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
        path = urlsplit(self.path)
        status, answer = self._decide(method, path.path.removeprefix("/grafana"), parse_qs(path.query), body)
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _decide(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        state = self.state
        if path == "/api/health":
            return 200, {"database": "ok", "version": state.version}
        if state.broken:
            return 500, {"message": "database is locked"}
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Invalid API key"}
        if method != "GET":
            state.writes.append(f"{method} {path}")
            if state.readonly:
                return 403, {"message": "You'll need additional permissions to perform this action"}
        kind, _, name = path.removeprefix("/api/").partition("/")
        calls = {
            ("GET", "folders"): self._folders,
            ("POST", "folders"): self._make_folder,
            ("GET", "dashboards"): self._board,
            ("POST", "dashboards"): self._save,
            ("DELETE", "dashboards"): self._delete,
            ("GET", "search"): self._search,
            ("POST", "annotations"): self._annotate,
        }
        call = calls.get((method, kind))
        return call(name, query, body) if call else (404, {"message": "Not found"})

    def _folders(self, uid: str, *_: Any) -> tuple[int, Any]:
        folders = self.state.folders
        if not uid:
            return 200, [{"uid": one, "title": title} for one, title in folders.items()]
        return (200, {"uid": uid, "title": folders[uid]}) if uid in folders else (404, {"message": "not found"})

    def _make_folder(self, _: str, __: Any, body: dict[str, str]) -> tuple[int, Any]:
        self.state.folders[body["uid"]] = body["title"]
        return 200, body

    def _board(self, name: str, *_: Any) -> tuple[int, Any]:
        found = self.state.boards.get(name.removeprefix("uid/"))
        if found is None:
            return 404, {"message": "Dashboard not found"}
        meta = {"folderUid": found["folderUid"], "provisioned": found.get("provisioned", False)}
        return 200, {"dashboard": found["dashboard"], "meta": meta}

    def _save(self, _: str, __: Any, body: dict[str, Any]) -> tuple[int, Any]:
        uid = body["dashboard"]["uid"]
        before = self.state.boards.get(uid)
        if before and before.get("provisioned"):
            return 400, {"message": "Cannot save provisioned dashboard"}
        if before and not body["overwrite"]:
            return 412, {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
        if body["folderUid"] not in self.state.folders:
            return 400, {"message": "folder not found"}
        number = before["dashboard"]["version"] + 1 if before else 1
        saved = body["dashboard"] | {"id": len(self.state.boards) + 1, "version": number}
        self.state.boards[uid] = {"dashboard": saved, "folderUid": body["folderUid"], "message": body["message"]}
        return 200, {"uid": uid, "status": "success", "version": number}

    def _delete(self, name: str, *_: Any) -> tuple[int, Any]:
        self.state.boards.pop(name.removeprefix("uid/"))
        return 200, {"message": "deleted"}

    def _search(self, _: str, query: dict[str, list[str]], __: Any) -> tuple[int, Any]:
        wanted = set(query.get("tag", ()))
        return 200, [
            {"uid": uid, "folderUid": one["folderUid"], "tags": one["dashboard"]["tags"], "type": "dash-db"}
            for uid, one in self.state.boards.items()
            if wanted <= set(one["dashboard"]["tags"])
        ]

    def _annotate(self, _: str, __: Any, body: dict[str, Any]) -> tuple[int, Any]:
        self.state.annotations.append(body)
        return 200, {"id": len(self.state.annotations)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def running() -> Iterator[State]:
    """A stand-in on a free port of loopback."""
    state = State()
    handler = type("Handler", (_Handler,), {"state": state})
    with _Server(("127.0.0.1", 0), handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
