"""Slack takes no message any more: the page about it must arrive by email."""

from datetime import UTC, datetime, timedelta

from alerts.drills.calls import call
from alerts.drills.drill import Drill
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    call("PUT", f"{stack.url('inbox')}/api/faults/slack", {"mode": "403"})
    # Something must be sent for a channel to fail: a ticket, which goes to Slack alone and ends before Slack is back.
    timing = stack.timing
    over = datetime.now(UTC) + timedelta(seconds=timing.root_group_wait + timing.evaluation_interval)
    ticket = {
        "labels": {"alertname": "DrillTicket", "severity": "ticket", "class": "meta", "cluster": "drill"},
        "annotations": {"summary": "A drill's own ticket, which Slack refuses"},
        "endsAt": over.isoformat(),
    }
    call("POST", f"{stack.url('alertmanager')}/api/v2/alerts", [ticket])


def _mend(stack: Stack) -> None:
    call("DELETE", f"{stack.url('inbox')}/api/faults/slack")


DRILL = Drill(
    name="slack_refuses",
    story="The inbox answers every Slack message with 403; the page must come by email.",
    alert="NotificationFailing",
    channels=("email",),
    broken=("slack",),
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Notifications fail", "slack"),
    extra_bound=lambda timing: timing.root_group_wait,  # the refused ticket waits for its group first
)
