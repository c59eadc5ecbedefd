"""`python -m inference.readme`: rewrite the table of settings in this folder's README from the code."""

import re
import sys
from pathlib import Path

from inference.settings import Settings, flag, shown_default

_README = Path(__file__).with_name("README.md")


def main() -> int:
    """Rewrite the README in place; says whether it changed."""
    before = _README.read_text()
    after = render(before)
    _README.write_text(after)
    sys.stdout.write(f"inference/{_README.name}: {'rewritten' if after != before else 'nothing changed'}\n")
    return 0


def render(text: str) -> str:
    """The README's text with its table made anew.

    Raises:
        ValueError: The markers are gone.
    """
    begin, end = "<!-- settings: made by `make generate` -->\n", "<!-- end of settings -->"
    made, count = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: begin + _table() + end, text, flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(f"{_README}: the lines around the table of settings are gone")
    return made


def _table() -> str:
    rows = ["| variable | flag | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = f"`{shown}`" if (shown := shown_default(field)) else ""
        rows.append(f"| `{field.alias}` | `{flag(name)}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
