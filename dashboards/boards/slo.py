"""Promises to users and their error budgets. For whoever decides between features and repairs."""

from dashboards.board import Board
from dashboards.sections import promises

BOARD = Board(
    uid="slo",
    title="SLO and error budget",
    question="For the owner of a service: are the promises to its users kept, how fast are their error budgets spent, "
    "and when are they gone?",
    tag="analysis",
    sections=(promises.now(), promises.pace()),
    variables=("cluster", "namespace", "service"),
    back="3h",
    refresh="30s",
)
