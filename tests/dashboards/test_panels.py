"""What every panel must be: explained, labelled, bounded, and right about the signals it reads."""

import promql_parser as promql
import pytest

from alerts.rules.gpu import MARGIN_CELSIUS
from alerts.signals import SIGNALS
from alerts.timing import load
from dashboards.panels import Said

SERIES = 30
ALERT_LABELS = {"alertname", "alertstate", "severity", "cluster", "service", "host", "gpu"}
LABELS = {signal.name: set(signal.labels) for signal in SIGNALS} | {
    "ALERTS": ALERT_LABELS,
    "ALERTS_FOR_STATE": ALERT_LABELS,
}


def expressions(panel):
    return [promql.parse(target["expr"]) for target in panel["targets"]]


def selectors(node):
    """Every vector selector of a parsed expression."""
    if isinstance(node, promql.VectorSelector):
        yield node
    for name in ("lhs", "rhs", "expr", "args", "vector_selector"):
        child = getattr(node, name, None)
        for part in child if isinstance(child, (list, tuple)) else (child,):
            if part is not None:
                yield from selectors(part)


def bound(node):
    """How many series an expression can have at most, by its shape alone."""
    match node:
        case promql.ParenExpr():
            return bound(node.expr)
        case promql.AggregateExpr():
            if str(node.op) in ("topk", "bottomk"):
                return node.param.val
            return 1 if node.modifier is None else bound(node.expr)
        case promql.BinaryExpr():
            left, right = bound(node.lhs), bound(node.rhs)
            return left + right if str(node.op) == "or" else min(left, right)
        case _:
            return float("inf")


def test_panel_asks_a_question_and_answers_in_sentences(panel):
    assert panel["title"]
    assert "?" in panel["description"]
    assert panel["description"].endswith(".")


def test_panel_has_a_unit_and_a_text_for_no_data(panel):
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert len(defaults["noValue"]) > 5


def test_panel_reads_signals_and_alerts_only(panel):
    for expression in expressions(panel):
        names = {selector.name for selector in selectors(expression)}
        assert names
        assert names <= set(LABELS)


def test_panel_matches_only_labels_that_the_signal_has(panel):
    for expression in expressions(panel):
        for selector in selectors(expression):
            assert {matcher.name for matcher in selector.matchers.matchers} <= LABELS[selector.name]


def test_legend_names_labels_that_the_query_keeps(panel):
    for target in panel["targets"]:
        for part in target.get("legendFormat", "").split("{{")[1:]:
            assert part.split("}}")[0] in target["expr"] or "bucket" in target["expr"]


def test_panel_is_bounded_whatever_the_fleet(panel):
    per_target = [bound(expression) for expression in expressions(panel)]
    series = max(per_target) if panel["type"] == "table" else sum(per_target)
    assert series <= SERIES


def thresholds(board, title):
    [panel] = [panel for panel in board["panels"] if panel["title"] == title]
    return [(step["value"], step["color"]) for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]


def test_margin_is_red_where_the_alert_fires(board):
    assert thresholds(board, "Degrees left before slowdown")[:2] == [(None, "red"), (MARGIN_CELSIUS, "orange")]


def test_outside_time_is_red_where_the_probe_gives_up(board):
    assert thresholds(board, "Time to first token, seen from outside")[-1] == (load().probe_timeout, "red")


def test_panel_without_a_text_for_no_data_cannot_be_made():
    with pytest.raises(TypeError, match="nothing"):
        Said("Title", "Question?", unit="s", width=8)
