"""A rule that Prometheus loads and can never evaluate: whatever it should have paged for stays unheard."""

from alerts.drills.drill import TICKET, Drill

_GROUP = "drill"
# Every series of the left side meets all those of the right.
_RULES = f"groups: [{{name: {_GROUP}, rules: [{{record: drill:broken, expr: up == on () up}}]}}]\n"


DRILL = Drill(
    name="rule_fails",
    story="A group with a rule that always fails is added to Prometheus.",
    alert="RuleEvaluationFailing",
    channels=TICKET,
    inject=lambda stack: stack.add_rules(_RULES),
    mend=lambda stack: stack.remove_rules(),
    subject=lambda stack: (f"group {_GROUP}",),
)
