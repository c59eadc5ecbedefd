"""One service. For the engineer on call, whose service has paged: what do its users feel, and which engine is it?"""

from dashboards.board import Board
from dashboards.sections import answers, changes, engines

BOARD = Board(
    uid="service",
    title="Service",
    question="For the engineer on call: what do users of this service feel, and why? From answers and their speed to "
    "the engines' queues, memory and failures, to what was changed.",
    tag="oncall",
    sections=(answers.section(), engines.section(), changes.of_services()),
    variables=("cluster", "namespace", "service", "model", "instance"),
)
