"""What Docker builds take from pyproject.toml without installing this checkout. Needs nothing installed.

`python compose/requirements.py EXTRA...` prints what is to be installed, as pip reads it: the layer of dependencies
must not depend on the code. `--metadata FOLDER` tells programs in FOLDER which version they are.
"""

import sys
import tomllib
from pathlib import Path
from typing import Any


def requirements(*extras: str) -> list[str]:
    """Those of the base and of the extras, sorted, each once.

    Raises:
        KeyError: An extra does not exist.
    """
    project = _project()
    chosen = [one for extra in extras for one in project["optional-dependencies"][extra]]
    return sorted({*project["dependencies"], *chosen})


def write_metadata(folder: Path) -> None:
    """Write what `importlib.metadata` reads."""
    project = _project()
    place = folder / f"{project['name']}-{project['version']}.dist-info"
    place.mkdir(parents=True)
    head = {"Metadata-Version": "2.1", "Name": project["name"], "Version": project["version"]}
    (place / "METADATA").write_text("".join(f"{key}: {value}\n" for key, value in head.items()))


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    return project


if __name__ == "__main__":
    if sys.argv[1:2] == ["--metadata"]:
        write_metadata(Path(sys.argv[2]))
    else:
        sys.stdout.write("".join(f"{one}\n" for one in requirements(*sys.argv[1:])))
