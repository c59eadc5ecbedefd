"""Which GPUs there should be, and what is kept of them."""

import json

import pytest

from exporters.gpu.devices.reading import Identity
from exporters.gpu.inventory import Expected, Inventory, InventoryError, Known

A, B, C = (Identity(index, f"GPU-{name}", "", f"0000:{name * 2}:00.0", "", "", "") for index, name in enumerate("abc"))


def uuids(inventory):
    return [one.uuid for one in inventory.known()]


def test_by_default_what_was_seen_since_the_start_is_expected():
    inventory = Inventory(Expected())
    inventory.learn([A, B])
    inventory.learn([A])
    assert (uuids(inventory), inventory.count()) == (["GPU-a", "GPU-b"], 2)


def test_what_is_remembered_is_expected_after_a_restart(tmp_path):
    file = tmp_path / "state" / "gpus.json"
    Inventory(Expected(remember=True), file).learn([A, B])
    again = Inventory(Expected(remember=True), file)
    again.learn([B])
    assert (uuids(again), again.count()) == (["GPU-a", "GPU-b"], 2)
    assert json.loads(file.read_text())["gpus"][0] == {"uuid": "GPU-a", "index": 0, "pci_bus_id": "0000:aa:00.0"}
    assert [path.name for path in file.parent.iterdir()] == ["gpus.json"]


def test_a_gpu_in_the_slot_of_another_has_replaced_it(tmp_path):
    inventory = Inventory(Expected(remember=True), tmp_path / "gpus.json")
    inventory.learn([A, B])
    inventory.learn([A, Identity(1, "GPU-new", "", B.pci_bus_id, "", "", "")])
    assert uuids(inventory) == ["GPU-a", "GPU-new"]


def test_a_number_counts_and_remembers_who_they_are(tmp_path):
    inventory = Inventory(Expected(count=2), tmp_path / "gpus.json")
    inventory.learn([A])
    assert (uuids(inventory), inventory.count()) == (["GPU-a"], 2)
    inventory.learn([A, B])
    again = Inventory(Expected(count=2), tmp_path / "gpus.json")
    again.learn([A])
    assert uuids(again) == ["GPU-a", "GPU-b"]


def test_where_the_expected_number_answers_nobody_else_is_expected(tmp_path):
    inventory = Inventory(Expected(count=2), tmp_path / "gpus.json")
    inventory.learn([A, B])
    inventory.learn([B, C])
    assert uuids(inventory) == ["GPU-b", "GPU-c"]


def test_a_file_expects_exactly_its_gpus(tmp_path):
    file = tmp_path / "gpus.txt"
    file.write_text("GPU 0: NVIDIA H200 (UUID: GPU-a)\n# spare\nGPU-b\n")
    inventory = Inventory(Expected(file=file))
    inventory.learn([Identity(5, "GPU-b", "", "0000:bb:00.0", "", "", ""), C])
    assert inventory.known() == (Known("GPU-a", 0, ""), Known("GPU-b", 5, "0000:bb:00.0"))


@pytest.mark.parametrize("text", ["", "no uuid here\n"])
def test_a_file_without_gpus_is_refused(tmp_path, text):
    file = tmp_path / "gpus.txt"
    file.write_text(text)
    with pytest.raises(InventoryError, match="lists no GPU: put one uuid"):
        Inventory(Expected(file=file))


def test_a_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(InventoryError, match="cannot read the expected GPUs from"):
        Inventory(Expected(file=tmp_path / "nothing"))


def test_a_memory_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InventoryError, match="set --state-file"):
        Inventory(Expected(remember=True), tmp_path / "file" / "gpus.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"gpus": [{"uuid": "GPU-a"}]}', '{"gpus": 3}'])
def test_a_memory_that_is_damaged_is_learnt_anew(tmp_path, text, caplog):
    file = tmp_path / "gpus.json"
    file.write_text(text)
    inventory = Inventory(Expected(remember=True), file)
    inventory.learn([A])
    assert uuids(inventory) == ["GPU-a"]
    assert "learning anew" in caplog.text
    assert uuids(Inventory(Expected(remember=True), file)) == ["GPU-a"]
