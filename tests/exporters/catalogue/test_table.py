"""The README lists every metric as it is declared. UPDATE_GOLDEN=1 rewrites the table."""

import os
from pathlib import Path

from exporters.catalogue import ALL_METRICS
from exporters.catalogue.table import markdown

README = Path(__file__).parents[3] / "exporters" / "README.md"
BEGIN, END = "<!-- metrics: begin -->\n", "<!-- metrics: end -->"


def test_the_readme_lists_every_metric_as_it_is_declared():
    before, rest = README.read_text().split(BEGIN)
    shown, after = rest.split(END)
    wanted = markdown(ALL_METRICS) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        README.write_text(before + BEGIN + wanted + END + after)
        shown = wanted
    assert shown == wanted


def test_no_meaning_breaks_the_table():
    assert [metric.name for metric in ALL_METRICS if "|" in metric.help] == []
