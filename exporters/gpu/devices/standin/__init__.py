"""What the simulated NVML library answers, by subject: C functions that fill the structures that pynvml passes.

Each file's `CALLS` has functions of one GPU by NVML's name; all together they are `DEVICE_CALLS`.
"""

from collections.abc import Callable

from exporters.gpu.devices.standin import activity, fields, health, identity, sensors, tenants

DEVICE_CALLS: dict[str, Callable[..., int]] = {
    **identity.CALLS,
    **sensors.CALLS,
    **fields.CALLS,
    **health.CALLS,
    **tenants.CALLS,
    **activity.CALLS,
}
"""Functions whose first argument is a GPU."""
