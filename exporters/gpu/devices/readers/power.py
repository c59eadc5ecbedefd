"""Power, its limits, and energy."""

from dataclasses import dataclass

from exporters.gpu.devices.asking import Gpu, first, thousandths
from exporters.gpu.devices.codes import Field

FIELDS = (
    (Field.POWER_INSTANT, 0),
    (Field.POWER_AVERAGE, 0),
    (Field.POWER_DEFAULT_LIMIT, 0),
    (Field.POWER_MIN_LIMIT, 0),
    (Field.POWER_MAX_LIMIT, 0),
    (Field.TOTAL_ENERGY_CONSUMPTION, 0),
)


@dataclass(frozen=True, slots=True)
class Power:
    """Power and energy of the whole board."""

    draw_watts: float | None = None
    limit_watts: float | None = None
    """The limit enforced now, whoever set it."""
    energy_joules: float | None = None
    """Since the driver was loaded; starts again at 0 with the driver."""
    average_watts: float | None = None
    """Mean over about a second."""
    default_limit_watts: float | None = None
    min_limit_watts: float | None = None
    max_limit_watts: float | None = None


def read(gpu: Gpu) -> Power:
    """Field values, nvmlDeviceGetEnforcedPowerLimit, nvmlDeviceGetTotalEnergyConsumption; `nvidia-smi -q -d POWER`."""
    draw = first(lambda: gpu.field(Field.POWER_INSTANT), lambda: gpu.ask("nvmlDeviceGetPowerUsage"))
    least, most = _range(gpu)
    default = first(
        lambda: gpu.field(Field.POWER_DEFAULT_LIMIT),
        lambda: gpu.ask_once("nvmlDeviceGetPowerManagementDefaultLimit"),
    )
    energy = first(
        lambda: gpu.field(Field.TOTAL_ENERGY_CONSUMPTION),
        lambda: gpu.ask("nvmlDeviceGetTotalEnergyConsumption"),
    )
    return Power(
        draw_watts=thousandths(draw),
        limit_watts=thousandths(gpu.ask_seldom("nvmlDeviceGetEnforcedPowerLimit")),
        energy_joules=thousandths(energy),
        average_watts=thousandths(gpu.field(Field.POWER_AVERAGE)),
        default_limit_watts=thousandths(default),
        min_limit_watts=thousandths(least),
        max_limit_watts=thousandths(most),
    )


def _range(gpu: Gpu) -> tuple[float | None, float | None]:
    """Least and greatest limit that can be set, in milliwatts."""
    least, most = gpu.field(Field.POWER_MIN_LIMIT), gpu.field(Field.POWER_MAX_LIMIT)
    if least is None and most is None:
        least, most = gpu.ask_once("nvmlDeviceGetPowerManagementLimitConstraints") or (None, None)
    return least, most
