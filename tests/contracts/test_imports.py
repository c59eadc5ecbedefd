"""Each module can be the first of ours that is imported: no import works only because another came before it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("exporters", "inference", "alerts", "alertmanager", "dashboards", "compose")

# One interpreter for all of them, which keeps torch and the other libraries and forgets only what is ours.
IMPORT_EACH = """
import importlib, sys
packages = set(sys.argv[1].split(","))
for module in sys.argv[2:]:
    for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
        del sys.modules[name]
    try:
        importlib.import_module(module)
    except ImportError as error:
        print(f"{module}: {error}")
"""


def modules():
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.stem != "__main__":
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_every_module_can_be_imported_first():
    found = list(modules())
    command = [sys.executable, "-c", IMPORT_EACH, ",".join(PACKAGES), *found]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert len(found) > 200
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
