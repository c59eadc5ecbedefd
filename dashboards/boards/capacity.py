"""Capacity and cost. For whoever buys GPUs, or gives them back."""

from dashboards.board import Board
from dashboards.sections import capacity

BOARD = Board(
    uid="capacity",
    title="Capacity and cost",
    question="For whoever pays for the GPUs: what do we get for them, and how many replicas does the demand need?",
    tag="analysis",
    sections=(capacity.worth(), capacity.room()),
    variables=("cluster", "namespace", "service", "price"),
    back="24h",
    refresh="1m",
    points=120,
)
