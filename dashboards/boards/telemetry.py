"""Telemetry and alerting health. For whoever runs this stack: would a page arrive, and is everything seen?"""

from dashboards.board import Board
from dashboards.sections import alerting

BOARD = Board(
    uid="telemetry",
    title="Telemetry and alerting health",
    question="For whoever runs the alerting: would anybody be told, is everything seen, and are the rules in time?",
    tag="analysis",
    sections=(alerting.messages(), alerting.sight(), alerting.judgement()),
    variables=("cluster",),
    back="3h",
    refresh="30s",
)
