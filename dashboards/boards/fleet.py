"""Fleet overview. For the engineer on call, coming from a page: is it broken, what is broken, and why?"""

from dashboards.board import Board
from dashboards.sections import changes, firing, services, worst

BOARD = Board(
    uid="fleet",
    title="Fleet overview",
    question="For the engineer on call: is anything broken, what is it, and why? From what fires, to what users of "
    "each service get, to the engines and GPUs beneath, to what was changed.",
    tag="oncall",
    sections=(firing.section(), services.section(), worst.section(), changes.of_services_and_hosts()),
    variables=("cluster", "namespace", "service", "host"),
)
