"""Every collector of the folder is in the visible list, under its own name."""

from pathlib import Path

from exporters.catalogue import gpu, gpu_health, gpu_use
from exporters.gpu import collectors

FOLDER = Path(collectors.__file__).parent
GOLDEN = Path(__file__).parents[1] / "exporters" / "gpu" / "golden"

LISTED = (*collectors.COLLECTORS, *collectors.OPTIONAL_COLLECTORS)


def test_every_file_of_the_folder_is_in_the_list():
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert {name for name, _ in LISTED} == files


def test_no_collector_is_listed_twice_or_under_another_name():
    named = [(name, collect.__module__.rpartition(".")[2]) for name, collect in LISTED]
    assert [name for name, _ in named] == [module for _, module in named]
    assert len(set(named)) == len(named)


def test_the_pages_show_every_metric_of_the_catalogue_and_no_other():
    lines = [line for page in GOLDEN.glob("*.prom") for line in page.read_text().splitlines()]
    shown = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert shown == {metric.name for metric in (*gpu.METRICS, *gpu_health.METRICS, *gpu_use.METRICS)}
