"""Faults that prove the alerts: each breaks a running stack and knows the one page that must follow."""

from alerts.drills import alerting_goes_blind, engine_dies, engine_hangs, exporter_dies, gpu_overheats, service_fails
from alerts.drills.drill import Drill

DRILLS: tuple[Drill, ...] = (
    engine_dies.DRILL,
    engine_hangs.DRILL,
    gpu_overheats.DRILL,
    service_fails.DRILL,
    exporter_dies.DRILL,
    alerting_goes_blind.DRILL,
)
