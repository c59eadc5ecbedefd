"""What rules read of programs that are not ours: Prometheus, Alertmanager and node-exporter, each name typed once.

Everything here holds for Prometheus 2.42 and 3.x, Alertmanager 0.25 and newer, and node-exporter 1.5 and newer. Later
versions add labels (`reason` on failed notifications, `alertmanager` on queues), so rules sum over what they do
not need. `tests/contracts/test_foreign.py` holds each name against a page that was recorded from the real program.
"""

from alerts.signals import Signal
from exporters.catalogue.labels import INSTANCE, JOB, TARGET_LABELS

_TARGET = (*TARGET_LABELS, JOB, INSTANCE)


def _signal(name: str, about: str, *labels: str) -> Signal:
    return Signal(name, about, (*_TARGET, *labels))


# Made by Prometheus itself for every target that it scrapes.
UP = _signal("up", "Whether the target answered its last scrape (1) or not (0).", "engine")
SERIES_ADDED = _signal("scrape_series_added", "Series of the last scrape that were not in the one before it.")
SAMPLES = _signal("scrape_samples_post_metric_relabeling", "Samples of the last scrape.")
SCRAPE_SECONDS = _signal("scrape_duration_seconds", "How long the last scrape took.")
SCRAPE = (UP, SERIES_ADDED, SAMPLES, SCRAPE_SECONDS)

PROMETHEUS_BUILD = _signal("prometheus_build_info", "A Prometheus that answers; always 1.", "version")
PROMETHEUS_RELOADED = _signal(
    "prometheus_config_last_reload_successful",
    "Whether the configuration was taken over when last read (1) or not (0).",
)
ALERTMANAGERS = _signal(
    "prometheus_notifications_alertmanagers_discovered", "Alertmanagers that Prometheus knows and sends to."
)
SEND_ERRORS = _signal(
    "prometheus_notifications_errors_total",
    "Sends to an Alertmanager that failed: batches in 2.x, alerts in 3.1 and newer.",
    "alertmanager",
)
RULE_FAILURES = _signal("prometheus_rule_evaluation_failures_total", "Rules that failed.", "rule_group")
RULE_ITERATIONS = _signal(
    "prometheus_rule_group_iterations_total",
    "Evaluations of a group that were due, missed ones included.",
    "rule_group",
)
RULE_MISSED = _signal(
    "prometheus_rule_group_iterations_missed_total",
    "Evaluations of a group that were left out because the one before them took too long.",
    "rule_group",
)
RULE_SECONDS = _signal(
    "prometheus_rule_group_last_duration_seconds", "How long the last evaluation of a group took.", "rule_group"
)
RULE_INTERVAL = _signal("prometheus_rule_group_interval_seconds", "How often a group is evaluated.", "rule_group")
HEAD_SERIES = _signal("prometheus_tsdb_head_series", "Series that had a sample in the last hours.")
TOO_MANY_SAMPLES = _signal(
    "prometheus_target_scrapes_exceeded_sample_limit_total", "Scrapes that were refused for their number of samples."
)
TOO_LONG_BODY = _signal(
    "prometheus_target_scrapes_exceeded_body_size_limit_total", "Scrapes that were refused for their size."
)
TOO_MANY_LABELS = _signal(
    "prometheus_target_scrape_pool_exceeded_label_limits_total", "Scrapes that were refused for their labels."
)
TOO_MANY_TARGETS = _signal(
    "prometheus_target_scrape_pool_exceeded_target_limit_total", "Times that a job had more targets than it may."
)
WAL_CORRUPTIONS = _signal("prometheus_tsdb_wal_corruptions_total", "Corruptions found in the write-ahead log.")
WAL_WRITE_FAILURES = _signal("prometheus_tsdb_wal_writes_failed_total", "Writes to the write-ahead log that failed.")
COMPACTION_FAILURES = _signal("prometheus_tsdb_compactions_failed_total", "Compactions that failed.")
BLOCK_RELOAD_FAILURES = _signal("prometheus_tsdb_reloads_failures_total", "Times that blocks could not be loaded.")
TRUNCATION_FAILURES = _signal("prometheus_tsdb_head_truncations_failed_total", "Truncations of the head that failed.")
CHECKPOINT_FAILURES = _signal("prometheus_tsdb_checkpoint_creations_failed_total", "Checkpoints that failed.")
PROMETHEUS = (
    PROMETHEUS_BUILD,
    PROMETHEUS_RELOADED,
    ALERTMANAGERS,
    SEND_ERRORS,
    RULE_FAILURES,
    RULE_ITERATIONS,
    RULE_MISSED,
    RULE_SECONDS,
    RULE_INTERVAL,
    HEAD_SERIES,
    TOO_MANY_SAMPLES,
    TOO_LONG_BODY,
    TOO_MANY_LABELS,
    TOO_MANY_TARGETS,
    WAL_CORRUPTIONS,
    WAL_WRITE_FAILURES,
    COMPACTION_FAILURES,
    BLOCK_RELOAD_FAILURES,
    TRUNCATION_FAILURES,
    CHECKPOINT_FAILURES,
)

ALERTMANAGER_BUILD = _signal("alertmanager_build_info", "An Alertmanager that answers; always 1.", "version")
ALERTMANAGER_RELOADED = _signal(
    "alertmanager_config_last_reload_successful",
    "Whether the configuration was taken over when last read (1) or not (0).",
)
FAILED_NOTIFICATIONS = _signal(
    "alertmanager_notifications_failed_total",
    "Notifications that were given up, after retries where the channel allows them; 0.26 and newer add `reason`.",
    "integration",
)
NOTIFICATIONS = _signal("alertmanager_notifications_total", "Notifications that were begun.", "integration")
ATTEMPTS = _signal(
    "alertmanager_notification_requests_total", "Attempts to send a notification that have ended.", "integration"
)
FAILED_ATTEMPTS = _signal(
    "alertmanager_notification_requests_failed_total", "Those that have failed; some are tried again.", "integration"
)
SILENCES = _signal("alertmanager_silences", "Silences by state; nothing says what they match.", "state")
ALERTMANAGER = (
    ALERTMANAGER_BUILD,
    ALERTMANAGER_RELOADED,
    FAILED_NOTIFICATIONS,
    NOTIFICATIONS,
    ATTEMPTS,
    FAILED_ATTEMPTS,
    SILENCES,
)

CPU_SECONDS = _signal("node_cpu_seconds_total", "Seconds that each CPU spent in each mode.", "cpu", "mode")
CPU_PRESSURE = _signal(
    "node_pressure_cpu_waiting_seconds_total",
    "Seconds in which at least one task waited for a CPU; absent where the kernel has no pressure stall information.",
)
MEMORY_AVAILABLE = _signal("node_memory_MemAvailable_bytes", "Bytes that programs can still get without swapping.")
MEMORY_TOTAL = _signal("node_memory_MemTotal_bytes", "Bytes of memory.")
OOM_KILLS = _signal("node_vmstat_oom_kill", "Processes that the kernel killed to get memory back, since boot.")
FILESYSTEM_FREE = _signal(
    "node_filesystem_avail_bytes", "Bytes that programs can still write.", "device", "fstype", "mountpoint"
)
FILESYSTEM_SIZE = _signal("node_filesystem_size_bytes", "Bytes of the file system.", "device", "fstype", "mountpoint")
FILESYSTEM_READONLY = _signal(
    "node_filesystem_readonly", "Whether it is mounted read-only.", "device", "fstype", "mountpoint"
)
HOST_TIME = _signal("node_time_seconds", "The host's clock, in seconds since the epoch.")
RECEIVE_ERRORS = _signal("node_network_receive_errs_total", "Packets received broken.", "device")
TRANSMIT_ERRORS = _signal("node_network_transmit_errs_total", "Packets that could not be sent.", "device")
RECEIVED_PACKETS = _signal("node_network_receive_packets_total", "Packets received.", "device")
TRANSMITTED_PACKETS = _signal("node_network_transmit_packets_total", "Packets sent.", "device")
TCP_RETRANSMITTED = _signal("node_netstat_Tcp_RetransSegs", "TCP segments that were sent again.")
TCP_SENT = _signal("node_netstat_Tcp_OutSegs", "TCP segments sent, without those sent again.")
NODE = (
    CPU_SECONDS,
    CPU_PRESSURE,
    MEMORY_AVAILABLE,
    MEMORY_TOTAL,
    OOM_KILLS,
    FILESYSTEM_FREE,
    FILESYSTEM_SIZE,
    FILESYSTEM_READONLY,
    HOST_TIME,
    RECEIVE_ERRORS,
    TRANSMIT_ERRORS,
    RECEIVED_PACKETS,
    TRANSMITTED_PACKETS,
    TCP_RETRANSMITTED,
    TCP_SENT,
)

FOREIGN = (*SCRAPE, *PROMETHEUS, *ALERTMANAGER, *NODE)
