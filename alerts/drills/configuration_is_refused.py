"""Somebody gives Prometheus a file that it cannot read: it goes on with what it had, and would not start again."""

from alerts.drills.drill import TICKET, Drill

DRILL = Drill(
    name="configuration_is_refused",
    story="A file of rules that is no YAML is put beside Prometheus' own, and Prometheus is told to read it.",
    alert="ConfigReloadFailed",
    channels=TICKET,
    inject=lambda stack: stack.add_rules("groups: [\n"),
    mend=lambda stack: stack.remove_rules(),
    subject=lambda stack: ("Configuration refused: prometheus",),
)
