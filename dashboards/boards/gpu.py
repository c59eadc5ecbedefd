"""One GPU, or one host. For the engineer on call, whose GPU has paged: is it dead, hot, held back, or cut off?"""

from dashboards.board import Board
from dashboards.sections import gpu, host

BOARD = Board(
    uid="gpu",
    title="GPU and host",
    question="For the engineer on call: what is wrong with this GPU or its host, and whose requests does it compute? "
    "From errors to heat, use and links, to the machine beneath.",
    tag="oncall",
    sections=(gpu.health(), gpu.use(), gpu.connections(), host.section()),
    variables=("cluster", "host", "gpu"),
)
