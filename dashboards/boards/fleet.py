"""Fleet overview. For the engineer on call, coming from a page: is it broken, what is broken, and why?"""

from dashboards.board import Board
from dashboards.sections import firing, gpus, services

BOARD = Board(
    uid="fleet",
    title="Fleet overview",
    question="For the engineer on call: is anything broken, what is it, and why? From what fires, to what users of "
    "each service get, to the GPUs beneath.",
    tag="oncall",
    sections=(firing.section(), services.section(), gpus.section()),
)
