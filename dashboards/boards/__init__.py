"""The catalogue of boards: one file per board, listed here."""

from dashboards.board import Board
from dashboards.boards import capacity, fleet, gpu, gpu_fleet, service, slo, telemetry

BOARDS: tuple[Board, ...] = (
    fleet.BOARD,
    service.BOARD,
    gpu.BOARD,
    slo.BOARD,
    capacity.BOARD,
    telemetry.BOARD,
    gpu_fleet.BOARD,
)
