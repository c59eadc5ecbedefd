"""Write a set of generated files into a folder, so that the folder holds just these."""

from collections.abc import Mapping
from pathlib import Path


def write(files: Mapping[str, str], folder: Path) -> tuple[str, ...]:
    """Write each file whose text differs, remove files of the same endings that are no longer made.

    Returns:
        The names of the files that changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    endings = {Path(name).suffix for name in files}
    stale = {path for path in folder.iterdir() if path.suffix in endings and path.name not in files}
    changed = [name for name, text in files.items() if _read(folder / name) != text]
    for name in changed:
        (folder / name).write_text(files[name])
    for path in stale:
        path.unlink()
    return (*sorted(changed), *sorted(path.name for path in stale))


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None
