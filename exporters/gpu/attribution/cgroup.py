"""What a process's cgroup says of its pod, its container and its Slurm job."""

import re
from dataclasses import dataclass
from pathlib import Path

_POD = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})")
_CONTAINER = re.compile(r"(?:^|[/-])([0-9a-f]{64})(?:\.scope)?(?:/|$)")
_JOB = re.compile(r"slurm.*/job_([0-9]+)(?:/|$)")
_SHOWN_ID = 12
"""As many digits of a container's id as `docker ps` shows."""


@dataclass(frozen=True, slots=True)
class Membership:
    """Where a process belongs. Empty text where its cgroup does not say."""

    pod_uid: str = ""
    container_id: str = ""
    """The first twelve digits."""
    slurm_job: str = ""


def read(proc: Path, pid: int) -> Membership:
    """Where this process belongs; nowhere if it is gone or may not be looked at. proc is /proc."""
    try:
        text = (proc / str(pid) / "cgroup").read_text(errors="replace")
    except OSError:
        return Membership()
    return parse(text)


def parse(text: str) -> Membership:
    """From the file's lines (hierarchy:controllers:path), the first that says anything."""
    paths = (line.split(":", 2)[-1] for line in text.splitlines())
    return next((found for path in paths if (found := _of_path(path)) != Membership()), Membership())


def _of_path(path: str) -> Membership:
    pod, container, job = _POD.search(path), _CONTAINER.search(path), _JOB.search(path)
    return Membership(
        pod[1].replace("_", "-") if pod else "",
        container[1][:_SHOWN_ID] if container else "",
        job[1] if job else "",
    )
