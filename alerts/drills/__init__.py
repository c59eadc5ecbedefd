"""Faults that prove the alerts: each breaks a running stack and knows the one page that must follow."""

from alerts.drills import (
    alerting_goes_blind,
    engine_dies,
    engine_hangs,
    exporter_dies,
    gpu_overheats,
    prometheus_is_cut_off,
    root_is_silenced,
    service_fails,
    slack_refuses,
)
from alerts.drills.drill import Drill

DRILLS: tuple[Drill, ...] = (
    engine_dies.DRILL,
    engine_hangs.DRILL,
    gpu_overheats.DRILL,
    service_fails.DRILL,
    exporter_dies.DRILL,
    requests_fail_in_bursts,
    prometheus_is_cut_off.DRILL,
    root_is_silenced.DRILL,
    slack_refuses.DRILL,
    alerting_goes_blind.DRILL,
)
    requests_fail_in_bursts.DRILL,
