"""`python -m compose.readme`: rewrite the parts of README.md that are made from the code: alerts and tree."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from alerts.drills import DRILLS
from alerts.rule import Alert
from alerts.rules import catalogue
from alerts.timing import load

_ROOT = Path(__file__).parent.parent
_README = _ROOT / "README.md"

# What has no docstring to say it. A key that ends in a slash stands for everything below it.
_ABOUT = {
    ".ci/run": "what CI runs: installs what a new machine lacks, lints, tests",
    ".dockerignore": "what a Docker build never sees",
    ".github/": "how to contribute, workflows (checks, containers, release), this page's pictures",
    ".gitignore": "what is made here and not kept",
    "CHANGELOG.md": "what changed, by its effect on the operator",
    "LICENSE": "Apache-2.0",
    "Makefile": "every command a person runs",
    "README.md": "this page",
    "pyproject.toml": "packaging, dependencies, and the settings of every tool",
    "alertmanager/generated/": "the configuration as Alertmanager reads it (committed, `make generate`)",
    "alertmanager/inbox/page/": "the inbox's web page",
    "alertmanager/teams.yaml": "what you change: who is told, through which channels, when tickets may come",
    "alertmanager/templates/email.tmpl": "the email, text and html",
    "alertmanager/templates/pagerduty.tmpl": "the PagerDuty event",
    "alertmanager/templates/slack.tmpl": "the Slack message",
    "alertmanager/templates/words.tmpl": "the words that both share",
    "alerts/generated/": "the rules as Prometheus reads them (committed, `make generate`)",
    "alerts/runbooks/": "one page per alert",
    "alerts/objectives.yaml": "what you change: replicas needed, promises, thresholds, alerts that you do not want",
    "alerts/timing.yaml": "the clock: scrape, evaluation, group waits",
    "compose/.env.example": "every variable of the stack in containers, with its default",
    "compose/Dockerfile": "the image of setup, verify, inbox and deadman",
    "compose/collector/": "traces and logs on their way to Tempo and Loki",
    "compose/compose.gpu.yaml": "NVIDIA GPUs in place of simulated ones",
    "compose/compose.yaml": "the whole stack in containers",
    "compose/deadman.yaml": "the dead man's switch alone, for another machine",
    "compose/grafana/": "what Grafana is told at its start",
    "compose/loki/": "logs, kept for three days",
    "compose/models/": "where your own models go",
    "compose/secrets/": "where Slack, mail and pager secrets go: drop a file",
    "compose/tempo/": "traces, kept for three days",
    "compose/targets/": "where your own engines and exporters go: drop a file",
    "dashboards/generated/": "the boards as Grafana reads them (committed, `make generate`)",
    "exporters/Dockerfile": "the images of the GPU exporter and the prober",
    "exporters/gpu/simulator/every_fault.json": "a scenario that puts simulated GPUs through every fault",
    "inference/Dockerfile": "the image of the inference service and its load",
    "tests/": "mirrors the folders; contracts/ holds folders to each other, e2e/ runs the whole stack",
}


def main() -> int:
    """Rewrite README.md in place; says whether it changed."""
    before = _README.read_text()
    after = render(before)
    _README.write_text(after)
    print(f"{_README.name}: {'rewritten' if after != before else 'nothing changed'}")
    return 0


def render(text: str) -> str:
    """The README's text with its generated parts made anew.

    Raises:
        ValueError: A file is tracked that nothing describes, or the markers are gone.
    """
    text = _between(text, "alerts", _alerts_table())
    return _between(text, "tree", "```\n" + "\n".join(_tree()) + "\n```")


def _between(text: str, name: str, content: str) -> str:
    begin, end = f"<!-- {name}: made by make generate -->", f"<!-- end of {name} -->"
    if begin not in text or end not in text:
        raise ValueError(f"README.md: the markers of {name!r} are gone")
    return re.sub(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{content}\n{end}", text, flags=re.DOTALL
    )


def _alerts_table() -> str:
    timing = load()
    rows = ["| alert | reaches | within | proven by |", "|---|---|---|---|"]
    return "\n".join(rows + [_row(alert, alert.bound(timing)) for alert in catalogue(timing).values()])


def _row(alert: Alert, bound: float) -> str:
    reaches = {"page": "Slack and email", "ticket": "Slack", "none": "the dead man's switch"}[alert.severity]
    seconds = f"{bound:.0f} s" if bound < 3600 else f"{bound / 3600:.1f} h"
    within = seconds if alert.severity != "none" else "always"
    drills = ", ".join(f"`{drill.name}`" for drill in DRILLS if drill.alert == alert.name) or "its cases alone"
    return f"| [{alert.name}](alerts/runbooks/{alert.name}.md) | {reaches} | {within} | {drills} |"


def _tree() -> Iterator[str]:
    tracked = subprocess.run(["git", "ls-files"], cwd=_ROOT, capture_output=True, text=True, check=True).stdout.split()
    seen: set[str] = set()
    for path in sorted(tracked):
        if path.endswith(("README.md", "__init__.py")) and "/" in path and path.count("/") > 1:
            continue  # the folder's own page, and its docstring, add nothing to its files'
        entry = next((key for key in _ABOUT if key.endswith("/") and path.startswith(key)), path)
        if entry not in seen:
            seen.add(entry)
            yield f"{entry:42} {_about(entry)}".rstrip()


def _about(entry: str) -> str:
    if entry in _ABOUT:
        return _ABOUT[entry]
    if entry.endswith(".py"):
        docstring = ast.get_docstring(ast.parse((_ROOT / entry).read_text())) or ""
        return docstring.partition("\n")[0].rstrip(".")
    if entry.endswith("README.md"):
        return "what is here, how to add one, why it is so"
    raise ValueError(f"{entry}: nothing describes it; add a line to compose/readme.py")


if __name__ == "__main__":
    sys.exit(main())
