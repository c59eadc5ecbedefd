"""The job mapping directory that a scheduler's prolog and epilog keep: a file per GPU, a job id per line.

The same directory as dcgm-exporter's --hpc-job-mapping-dir: a file is named after the GPU's index; INDEX.INSTANCE
names a MIG GPU instance, and a uuid is taken too.
"""

from pathlib import Path

_MOST_BYTES = 4096
_LONGEST_JOB = 128


def jobs(directory: Path, *names: str) -> tuple[str, ...]:
    """Jobs in the first of these files that there is, in its order; none where there is no such file."""
    for name in names:
        try:
            with (directory / name).open("rb") as file:
                text = file.read(_MOST_BYTES).decode(errors="replace")
        except OSError:
            continue
        return tuple(dict.fromkeys(line.strip()[:_LONGEST_JOB] for line in text.splitlines() if line.strip()))
    return ()
