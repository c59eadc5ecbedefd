"""The simulated GPU that drills break."""

import time

import httpx

from alerts import signals
from alerts.drills.calls import call, query
from alerts.drills.drill import DrillRefused
from alerts.drills.stack import Stack

GPU = 1
"""Not 0, so that a message that names a default instead of the sick GPU is caught."""


_LONGEST_QUARANTINE_SECONDS = 60
"""As long as the exporter leaves a GPU alone at most (exporters/gpu/quarantine.py)."""


def until_gpu_answers(stack: Stack) -> None:
    """Wait until the GPU is seen to answer. A GPU that hung is asked again after a pause that grows to a minute."""
    give_up = time.monotonic() + _LONGEST_QUARANTINE_SECONDS + 4 * stack.timing.scrape_interval
    while not query(stack.url("prometheus"), f'{signals.GPU_UP}{{gpu="{GPU}"}} == 1') and time.monotonic() < give_up:
        time.sleep(0.25)


def set_gpu(stack: Stack, **fields: object) -> None:
    """Set fields of the GPU through the simulator's control API (exporters/gpu/README.md); None gives one back.

    Raises:
        DrillRefused: If the GPUs are real, or there are fewer of them.
        httpx.HTTPError: If the exporter does not answer.
    """
    url = f"{stack.url('gpu-exporter')}/simulator/gpus/{GPU}"
    try:
        call("PATCH", url, fields)
    except httpx.HTTPStatusError as error:
        if error.response.status_code != httpx.codes.NOT_FOUND:
            raise
        raise DrillRefused(
            f"no simulated GPU {GPU} to break at {url}: the GPUs there are real, or fewer. Real ones are not broken; "
            "start a stack with GPU_EXPORTER_SOURCE=simulated for this drill"
        ) from error
