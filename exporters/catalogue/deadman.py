"""Every metric of the dead man's switch, which watches the alerting from outside."""

from exporters.catalogue.metric import Metric

LAST_HEARTBEAT = Metric(
    "inferwatch_deadman_last_heartbeat_timestamp_seconds",
    "gauge",
    "When the last heartbeat arrived, in seconds since the epoch; absent before the first.",
)
TIMEOUT = Metric(
    "inferwatch_deadman_timeout_seconds",
    "gauge",
    "How long the heartbeat may be away before the switch pages.",
)
BLIND = Metric(
    "inferwatch_deadman_blind",
    "gauge",
    "Whether the heartbeat is away for longer than the timeout (1) or not (0).",
)
PAGES = Metric(
    "inferwatch_deadman_pages_total",
    "counter",
    "Times that the switch has paged, counted once however many channels it has.",
)
DELIVERIES = Metric(
    "inferwatch_deadman_deliveries_total",
    "counter",
    "Messages that a channel accepted.",
    ("channel",),
)
DELIVERY_FAILURES = Metric(
    "inferwatch_deadman_delivery_failures_total",
    "counter",
    "Attempts to deliver that failed; each is repeated until it succeeds.",
    ("channel",),
)

METRICS = (LAST_HEARTBEAT, TIMEOUT, BLIND, PAGES, DELIVERIES, DELIVERY_FAILURES)
