"""Which panel of which board shows an alert's condition: what the Dashboard link of its message opens.

The boards themselves are made in dashboards/, which stands above this folder; a test there holds each title here
against the panel that is so called, and each alert against the line that is drawn in it.
"""

import zlib
from collections.abc import Mapping

from exporters.catalogue.labels import CLUSTER, GPU, HOST, SERVICE


def panel_id(title: str) -> int:
    """A panel's id follows from its title, so that a link to it survives a new neighbour."""
    return zlib.crc32(title.encode()) % 1_000_000


def board(uid: str, *labels: str) -> str:
    """Path and query of a board, as a Prometheus template that sets the board's variables from the alert's labels.

    Args:
        uid: The board.
        *labels: Of the alert; each is the name of a variable, too. One that an alert lacks stays at All.
    """
    set_all = "&".join(f"var-{label}={{{{ $labels.{label} | urlquery }}}}" for label in labels if label != GPU)
    # A GPU that has no index leaves the variable at All; an empty value would match nothing.
    set_gpu = f"{{{{ with $labels.{GPU} }}}}&var-{GPU}={{{{ . | urlquery }}}}{{{{ end }}}}" if GPU in labels else ""
    return f"d/{uid}/{uid}?{set_all}{set_gpu}"


OF_SERVICE = board("service", CLUSTER, SERVICE)
OF_GPU = board("gpu", CLUSTER, HOST, GPU)
OF_HOST = board("gpu", CLUSTER, HOST)
OF_PROMISES = board("slo", CLUSTER, SERVICE)
OF_FLEET = board("fleet", CLUSTER)
OF_ALERTING = board("telemetry", CLUSTER)

PANELS: Mapping[str, str] = {
    "EngineDown": "Engines",
    "EngineHung": "Engines",
    "EngineModelNotLoaded": "Engines",
    "EngineCrashLoop": "Restarts",
    "EngineQueueBacklog": "Queue, in batches",
    "EngineKvCacheSaturated": "KV cache",
    "EnginePreemptionStorm": "Preemptions per request",
    "EngineRejections": "Turned away",
    "EngineErrorsInternal": "Failed inside the engine",
    "EngineConfigDrift": "Builds too many",
    "EngineThroughputDrop": "Pace, against the usual",
    "ServiceCapacityLost": "Replicas to spare",
    "ServiceDown": "Answers, seen from outside",
    "EngineAnswersWrong": "Right answers, seen from outside",
    "SloFastBurn": "How near to a message",
    "SloSlowBurn": "How near to a message",
    "GpuFallenOffBus": "GPUs",
    "GpuMissing": "GPUs",
    "GpuXidFatal": "Errors of the driver (XID)",
    "GpuXidContained": "Errors of the driver (XID)",
    "GpuXidApplication": "Errors of the driver (XID)",
    "GpuEccUncorrectable": "Memory errors that ECC could not correct",
    "GpuOverheating": "Degrees left before slowdown",
    "GpuRecoveryNeeded": "Repairs that are due",
    "GpuRowRemapFailed": "Repairs that are due",
    "GpuMemoryRetirementPending": "Repairs that are due",
    "GpuSramErrorsHigh": "Repairs that are due",
    "GpuThermalThrottle": "Held back",
    "GpuPowerBrake": "Held back",
    "GpuMemoryOrphaned": "Memory that no process holds",
    "GpuNvlinkDown": "NVLinks down",
    "GpuNvlinkErrors": "NVLink errors",
    "GpuPcieDegraded": "PCIe lanes",
    "GpuPcieReplays": "PCIe packets sent again",
    "HostDown": "What answers on the host",
    "HostMemoryHigh": "Host memory in use",
    "HostOomKill": "Killed for memory",
    "HostDiskFull": "Disk that is left",
    "HostShmFull": "Shared memory that is left",
    "HostCpuSaturated": "CPU",
    "HostCpuSteal": "CPU taken away",
    "HostClockSkew": "Clock",
    "HostNetworkErrors": "Network errors",
    "TargetDown": "Targets that do not answer",
    "ExporterStale": "New readings",
    "ScrapeLimitHit": "Refused scrapes",
    "CardinalityGrowth": "New series",
    "RuleEvaluationFailing": "Rules that fail",
    "RuleEvaluationMissed": "Evaluations left out",
    "ConfigReloadFailed": "Configurations",
    "TelemetryDropping": "Spans lost",
    "TsdbTrouble": "Trouble of the store",
    "AlertmanagerUnreachable": "Sends to Alertmanager that fail",
    "NotificationFailing": "Messages lost",
    "PrometheusIsolated": "Targets that do not answer",
    "FleetTargetsDown": "Targets that do not answer",
    "SymptomUnexplained": "When what fired",
}
"""Title of the panel, by alert; on the board that the alert names."""


def view(alert: str) -> str:
    """What is added to a board's address so that it opens at the alert's panel; empty where it has none.

    The bare number, not `panel-<number>`: Grafana up to 10 knows only the number, later ones take both.
    """
    return f"&viewPanel={panel_id(PANELS[alert])}" if alert in PANELS else ""
