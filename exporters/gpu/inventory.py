"""Which GPUs there should be, by uuid, across restarts.

A GPU that is expected and does not answer stays on the page as one that is down, under its uuid. Where the
expectation comes from is the user's choice: what was seen since the start, what was ever seen (`remember`),
a number, or a list in a file.
"""

import json
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from exporters.gpu.devices.reading import Identity

LOG = logging.getLogger(__name__)

_UUID = re.compile(r"\b(?:GPU|MIG)-[0-9a-fA-F]+(?:-[0-9a-fA-F]+)*")


class InventoryError(Exception):
    """The list or the memory of GPUs cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Known:
    """A GPU that should be there."""

    uuid: str
    index: int
    """Its last place in the driver's list."""
    pci_bus_id: str
    """Its last slot; empty where it never answered."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the user expects."""

    count: int | None = None
    """So many GPUs, whichever they are."""
    file: Path | None = None
    """These GPUs: a text with their uuids, such as `nvidia-smi -L` prints."""
    remember: bool = False
    """Every GPU that was ever seen."""


class Inventory:
    """The GPUs that should be there; learns from those that answer.

    Args:
        expected: What the user says.
        memory: Where to keep what was learnt for the next start; None keeps nothing.

    Raises:
        InventoryError: The list cannot be read, or the memory cannot be written.
    """

    def __init__(self, expected: Expected, memory: Path | None = None) -> None:
        self._expected = expected
        self._memory = memory if expected.remember or expected.count is not None else None
        self._known: dict[str, Known] = {}
        if expected.file is not None:
            self._known = {one.uuid: one for one in _listed(expected.file)}
        if self._memory is not None:
            self._known = {one.uuid: one for one in _remembered(self._memory)}
            self._save()

    def known(self) -> tuple[Known, ...]:
        """Every GPU that should be there and whose uuid is known, by index."""
        return tuple(sorted(self._known.values(), key=lambda one: (one.index, one.uuid)))

    def count(self) -> int:
        """How many GPUs there should be."""
        return len(self._known) if self._expected.count is None else self._expected.count

    def learn(self, answered: Iterable[Identity]) -> None:
        """Take note of the GPUs that answer now."""
        here = {one.uuid: Known(one.uuid, one.index, one.pci_bus_id) for one in answered}
        known = dict(self._known)
        if self._expected.file is not None:
            known |= {uuid: one for uuid, one in here.items() if uuid in known}
        else:
            slots = {one.pci_bus_id for one in here.values()} - {""}
            # Another GPU in its slot: it was replaced. All that should be here are: what is missing was replaced too.
            replaced = {uuid for uuid, one in known.items() if one.pci_bus_id in slots}
            complete = self._expected.count is not None and len(here) >= self._expected.count
            known = here if complete else {uuid: one for uuid, one in known.items() if uuid not in replaced} | here
        if known != self._known:
            self._known = known
            self._try_to_save()

    def _try_to_save(self) -> None:
        try:
            self._save()
        except InventoryError as error:
            LOG.error("%s", error)

    def _save(self) -> None:
        if self._memory is None:
            return
        text = json.dumps({"gpus": [asdict(one) for one in self.known()]}, indent=1)
        beside = self._memory.with_name(f"{self._memory.name}.{os.getpid()}")
        try:
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._memory)
        except OSError as error:
            raise InventoryError(
                f"cannot keep the expected GPUs in {self._memory}: {error.strerror}; set --state-file"
            ) from error


def _listed(file: Path) -> Iterable[Known]:
    try:
        uuids = dict.fromkeys(_UUID.findall(file.read_text()))
    except OSError as error:
        raise InventoryError(f"cannot read the expected GPUs from {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InventoryError(f"cannot read the expected GPUs from {file}: it is not text") from error
    if not uuids:
        raise InventoryError(f"{file} lists no GPU: put one uuid (GPU-...) on each line, as nvidia-smi -L does")
    return (Known(uuid, index, "") for index, uuid in enumerate(uuids))


def _remembered(file: Path) -> Iterable[Known]:
    try:
        found = json.loads(file.read_text())
        return [Known(str(one["uuid"]), int(one["index"]), str(one["pci_bus_id"])) for one in found["gpus"]]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InventoryError(
            f"cannot read the expected GPUs from {file}: {error.strerror}; set --state-file"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        LOG.warning("%s is not a list of GPUs, learning anew: %r", file, error)
        return []
