"""A new file counts only once it stands in its visible list; this fails where the line was forgotten."""

import importlib
from pathlib import Path

import pytest

from alerts.drills import DRILLS
from alerts.engines import ENGINES, GPU_SOURCES
from alerts.rules import GROUPS, groups
from alerts.signals import SIGNALS
from alerts.timing import load

ROOT = Path(__file__).parents[2]


def modules_that_define(folder: str, name: str) -> set[str]:
    """Modules of a folder that have a public member so called, by dotted name."""
    package = folder.replace("/", ".")
    found = (f"{package}.{path.stem}" for path in (ROOT / folder).glob("*.py") if path.stem != "__init__")
    return {module for module in found if hasattr(importlib.import_module(module), name)}


def listed(members, attribute):
    return {getattr(member, attribute).__module__ for member in members}


@pytest.mark.parametrize(
    ("folder", "member", "in_list"),
    [
        ("alerts/rules", "group", {build.__module__ for build in GROUPS}),
        ("alerts/drills", "DRILL", listed(DRILLS, "inject")),
        ("alerts/engines", "ADAPTER", listed(ENGINES + GPU_SOURCES, "recordings")),
    ],
    ids=["GROUPS", "DRILLS", "ENGINES and GPU_SOURCES"],
)
def test_every_module_of_the_folder_is_in_its_list(folder, member, in_list):
    assert modules_that_define(folder, member) == in_list


def test_a_drill_is_named_after_its_file():
    assert [drill.name for drill in DRILLS] == [drill.inject.__module__.rpartition(".")[2] for drill in DRILLS]


def test_every_signal_is_recorded_and_that_of_a_gpu_in_one_group():
    timing = load()
    where = {(recording.record, group.name) for group in groups(timing) for recording in group.recordings}
    recorded = [name for name, _ in where]
    of_gpus = {recording.record for source in GPU_SOURCES for recording in source.recordings(timing)}

    assert {signal.name for signal in SIGNALS} - set(recorded) == set()
    assert {name: recorded.count(name) for name in of_gpus} == dict.fromkeys(of_gpus, 1)
