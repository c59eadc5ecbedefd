"""`make test`: the drills beside everything else. They wait most of the time, the rest computes.

    python -m tests.run [PYTEST-ARGUMENT ...]

With arguments it is one pytest, as its user expects of `-k` or a path. Ends with the first status that is not 0.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_QUICK = "not long and not gpu"
_POLL_SECONDS = 0.5


def main(arguments: Sequence[str]) -> int:
    """Run the tests; Ctrl-C reaches every pytest by the terminal, and each cleans up before this ends."""
    if arguments:
        return _waited(_pytest(_QUICK, *arguments))
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "drills.log"
        drills = _pytest(f"e2e and {_QUICK}", log=log)
        rest = _pytest(f"not e2e and {_QUICK}")
        print("The drills (tests/e2e) run beside the other tests; what they print comes after it.", flush=True)
        status = _waited(rest)
        with log.open(encoding="utf-8", errors="replace") as told:
            while _runs(drills):
                print(told.read(), end="", flush=True)
            print(told.read(), end="", flush=True)
        return status or drills.wait()


def _pytest(marks: str, *arguments: str, log: Path | None = None) -> subprocess.Popen[bytes]:
    command = (sys.executable, "-m", "pytest", "-m", marks, *arguments)
    if log is None:
        return subprocess.Popen(command)
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)


def _waited(run: subprocess.Popen[bytes]) -> int:
    while _runs(run):
        pass
    return run.wait()


def _runs(run: subprocess.Popen[bytes]) -> bool:
    """Whether it goes on, seen after a while or at its end."""
    try:
        run.wait(_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    except KeyboardInterrupt:  # the terminal has told it, too, and it cleans up
        return True
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
