"""Asks the parts over HTTP whether they are well, and waits until the whole stack is."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from alerts import signals
from compose.part import ENGINE_PART, Part
from compose.supervision import Supervision

_TIMEOUT = 2.0
_POLL = 0.25
_TRIES = 2
"""A part that ended this often before it was ever healthy will not become so by waiting."""
_LOG_LINES = 20

Say = Callable[[str], None]


class NotReadyError(RuntimeError):
    """The stack did not become well; the message says which part, why, and shows the end of its log."""


@dataclass(frozen=True, slots=True)
class Status:
    """One part, as `inferwatch status` tells it."""

    name: str
    url: str
    healthy: bool
    pid: int | None


def status(supervision: Supervision) -> list[Status]:
    """Every part, asked at the same time."""
    running = supervision.processes()
    parts = list(supervision.parts.values())
    with ThreadPoolExecutor(len(parts)) as pool:
        # A foreign program on a part's port does not make the part healthy.
        answers = pool.map(lambda part: running[part.name].pid is not None and healthy(part), parts)
        return [
            Status(part.name, part.url, answer, running[part.name].pid)
            for part, answer in zip(parts, answers, strict=True)
        ]


def healthy(part: Part) -> bool:
    """Whether the part answers its health path with 2xx within two seconds."""
    try:
        with httpx.stream("GET", part.url + part.health, timeout=_TIMEOUT, trust_env=False) as answer:
            return answer.is_success
    except httpx.HTTPError:
        return False


def wait_healthy(supervision: Supervision, deadline: float, say: Say) -> None:
    """Return when every part is healthy; `say` hears of each as it becomes so.

    Raises:
        NotReadyError: The monotonic deadline passed, or a part keeps ending.
    """
    begun = time.monotonic()
    starts = {name: set[int]() for name in supervision.parts}
    while starts:
        for part in status(supervision):
            if part.healthy and starts.pop(part.name, None) is not None:
                say(f"{part.name} is healthy after {time.monotonic() - begun:.1f} s: {part.url}")
        for name, process in supervision.processes().items():
            if name not in starts:
                continue
            starts[name].add(process.started)
            if len(starts[name]) > _TRIES:
                raise NotReadyError(_blame(supervision, name, f"ended {_TRIES} times instead of starting"))
            if time.monotonic() > deadline:
                raise NotReadyError(_blame(supervision, name, "is not healthy in time"))
        time.sleep(_POLL if starts else 0)


def wait_watched(prometheus: Part, jobs: frozenset[str], deadline: float) -> None:
    """Return when Prometheus has scraped every target of these jobs and loaded its rules without an error.

    Raises:
        NotReadyError: The monotonic deadline passed; the message holds Prometheus' own words.
    """
    while problem := _unwatched(prometheus, jobs):
        if time.monotonic() > deadline:
            raise NotReadyError(f"prometheus: {problem}")
        time.sleep(_POLL)


def wait_counted(prometheus: str, replicas: int, deadline: float) -> None:
    """Return when Prometheus has just so many replicas of the inference service, and gets an answer from all of them.

    Raises:
        NotReadyError: The monotonic deadline passed.
    """
    known = f"count({signals.ENGINE_UP.where(job=ENGINE_PART)}"
    query = f"{known}) == {replicas} and {known} == 1) == {replicas}"
    while not _holds(prometheus, query):
        if time.monotonic() > deadline:
            raise NotReadyError(f"prometheus: does not see {replicas} replicas of {ENGINE_PART}, all of them up")
        time.sleep(_POLL)


def _holds(prometheus: str, query: str) -> bool:
    try:
        answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": query}, timeout=_TIMEOUT, trust_env=False)
        return bool(answer.json()["data"]["result"])
    except (httpx.HTTPError, ValueError, KeyError):
        return False


def _unwatched(prometheus: Part, jobs: frozenset[str]) -> str:
    """What Prometheus still lacks; empty when nothing."""
    try:
        with httpx.Client(base_url=prometheus.url + "/api/v1", timeout=_TIMEOUT, trust_env=False) as client:
            targets = client.get("/targets", params={"state": "active"}).json()["data"]["activeTargets"]
            groups = client.get("/rules").json()["data"]["groups"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return f"does not answer ({error})"
    seen = {target["scrapePool"] for target in targets}
    if absent := jobs - seen:
        return f"has no target for {', '.join(sorted(absent))}"
    for target in targets:
        # The user's own targets may be down: that is what the stack is there to tell.
        if target["scrapePool"] in jobs and target["health"] != "up":
            return f"target {target['scrapePool']} is {target['health']}: {target['lastError'] or 'not scraped yet'}"
    broken = [rule for group in groups for rule in group["rules"] if rule["health"] == "err"]
    if broken:
        return f"rule {broken[0]['name']} fails: {broken[0].get('lastError', '')}"
    return "" if groups else "has no rules"


def reloaded_at(part: Part) -> float:
    """When Prometheus or Alertmanager last read its configuration, in seconds since the epoch.

    Raises:
        NotReadyError: It does not answer, or refuses the configuration that it was last told to read.
    """
    try:
        answer = httpx.get(f"{part.url}/metrics", timeout=_TIMEOUT, trust_env=False)
    except httpx.HTTPError as error:
        raise NotReadyError(f"{part.name}: does not answer ({error})") from error
    name = f"{part.name}_config_last_reload"
    values = dict(line.split(" ") for line in answer.text.splitlines() if line.startswith(name))
    if float(values.get(f"{name}_successful", 0)) != 1:
        raise NotReadyError(f"{part.name}: refuses its configuration")
    return float(values[f"{name}_success_timestamp_seconds"])


def wait_reloaded(part: Part, before: float, deadline: float) -> None:
    """Return when Prometheus or Alertmanager has read its configuration anew.

    Args:
        part: Which one.
        before: What `reloaded_at` said before it was told to.
        deadline: Of time.monotonic().

    Raises:
        NotReadyError: The deadline passed, or the configuration is refused.
    """
    while reloaded_at(part) <= before:
        if time.monotonic() > deadline:
            raise NotReadyError(f"{part.name}: has not read its new configuration in time")
        time.sleep(_POLL)


def _blame(supervision: Supervision, name: str, why: str) -> str:
    log = supervision.log(name)
    lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:] if log.exists() else []
    tail = "".join(f"  | {line}\n" for line in lines) or "  | (it wrote nothing)\n"
    return f"{name} {why}. The end of {log}:\n{tail}"
