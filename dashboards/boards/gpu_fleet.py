"""All GPUs as a whole. For whoever plans their work and their repairs."""

from dashboards.board import Board
from dashboards.sections import gpu_fleet

BOARD = Board(
    uid="gpu-fleet",
    title="GPU fleet",
    question="For whoever looks after the GPUs: how many are there, how well are they used, and which wear out?",
    tag="analysis",
    sections=(gpu_fleet.stock(), gpu_fleet.spread(), gpu_fleet.wear()),
    variables=("cluster", "host"),
    back="24h",
    refresh="1m",
    points=120,
)
