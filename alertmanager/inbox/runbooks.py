"""Runbooks as pages, so that the links in the messages of a demo lead somewhere."""

import html
import re
from pathlib import Path

from markdown_it import MarkdownIt

_NAME = re.compile(r"[A-Za-z0-9]+")


def names(folder: Path) -> list[str]:
    """The alerts that have a runbook."""
    return sorted(path.stem for path in folder.glob("*.md") if _NAME.fullmatch(path.stem) and path.stem != "README")


def page(folder: Path, name: str) -> str | None:
    """A runbook as a whole html page; None where there is none of that name. HTML in it is shown, not obeyed."""
    if not _NAME.fullmatch(name) or name not in names(folder):
        return None
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    return _document(name, markdown.render((folder / f"{name}.md").read_text()))


def missing(folder: Path, name: str) -> str:
    """A page that says so, and lists those that exist."""
    items = "".join(f'<li><a href="/runbooks/{each}">{each}</a></li>' for each in names(folder))
    listing = f"<p>There are:</p><ul>{items}</ul>" if items else "<p>The folder of runbooks has none.</p>"
    return _document("No such runbook", f"<h1>No runbook called {html.escape(name[:100])}</h1>{listing}")


def _document(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{html.escape(title)} - runbook</title><link rel="stylesheet" href="/page/inbox.css"></head>'
        f'<body><main class="runbook"><p><a href="/">Inbox</a></p>{body}</main></body></html>'
    )
