"""`python compose/requirements.py EXTRA...`: what pyproject.toml asks for, as pip reads it. Needs nothing installed.

For Docker builds, whose layer with the dependencies must not depend on the code.
"""

import sys
import tomllib
from pathlib import Path


def requirements(*extras: str) -> list[str]:
    """Those of the base and of the extras, sorted, each once.

    Raises:
        KeyError: An extra does not exist.
    """
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    chosen = [one for extra in extras for one in project["optional-dependencies"][extra]]
    return sorted({*project["dependencies"], *chosen})


if __name__ == "__main__":
    sys.stdout.write("".join(f"{one}\n" for one in requirements(*sys.argv[1:])))
