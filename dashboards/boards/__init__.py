"""The catalogue of boards: one file per board, listed here."""

from dashboards.board import Board
from dashboards.boards import fleet

BOARDS: tuple[Board, ...] = (fleet.BOARD,)
