"""Every reader of the folder is in a visible list, and has its field in the reading."""

from dataclasses import fields
from pathlib import Path

import pynvml
import pytest

from exporters.gpu.collectors import OPTIONAL_COLLECTORS
from exporters.gpu.devices import readers
from exporters.gpu.devices.reading import GpuReading
from exporters.gpu.devices.standin import DEVICE_CALLS
from exporters.gpu.devices.standin.tenants import MIG_CALLS

LISTED = [one.subject for one in (*readers.READERS, *readers.OPTIONAL_READERS)]


def test_every_file_of_the_folder_is_in_a_list():
    assert set(LISTED) == {path.stem for path in Path(readers.__file__).parent.glob("*.py")} - {"__init__"}


def test_every_reader_has_its_field_in_the_reading():
    assert [field.name for field in fields(GpuReading) if field.name != "identity"] == LISTED


def test_every_optional_reader_is_wanted_by_an_optional_collector_of_its_name():
    assert {one.subject for one in readers.OPTIONAL_READERS} <= {name for name, _ in OPTIONAL_COLLECTORS}


@pytest.mark.parametrize("name", sorted(DEVICE_CALLS.keys() | MIG_CALLS.keys()))
def test_a_simulated_function_is_one_that_pynvml_looks_up(name):
    assert f'"{name}"' in Path(pynvml.__file__).read_text()
