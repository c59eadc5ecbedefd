"""What every panel must be: explained, labelled, bounded, and right about the signals it reads."""

import re

import promql_parser as promql
import pytest

from alerts.foreign import FOREIGN
from alerts.rules.gpu import MARGIN_CELSIUS
from alerts.signals import SIGNALS, Signal
from dashboards.limits import OBJECTIVES, TIMING
from dashboards.panels import Said
from exporters.catalogue import deadman, llm
from tests.boards import BOARDS, expand, panels_of

SERIES = 30
ALERT_LABELS = {"alertname", "alertstate", "severity", "cluster", "service", "host", "gpu"}
TRACED = (llm.TIME_TO_FIRST_TOKEN, llm.TIME_PER_OUTPUT_TOKEN, llm.INTER_TOKEN_LATENCY, llm.REQUEST_DURATION)
"""Of the engines' own series only these, and only for their exemplars, which recorded series have none of."""
LABELS = (
    {signal.name: set(signal.labels) for signal in (*SIGNALS, *FOREIGN)}
    | {metric.bucket: {"cluster", "namespace", "service"} for metric in TRACED}
    | {deadman.LAST_HEARTBEAT.name: {"cluster", "instance"}}
    | {"ALERTS": ALERT_LABELS, "ALERTS_FOR_STATE": ALERT_LABELS}
)
ALERTING = {"telemetry"}
"""Boards that look at Prometheus, Alertmanager and the dead man's switch themselves."""
HOSTS = {"gpu"}
"""Boards that look at the machine: node-exporter's names are the only ones there are."""


def labels_of(name):
    """Labels of a series; windows of promises have names that follow from the objectives."""
    return (
        set(Signal("", "", ("cluster", "namespace", "service", "model", "slo")).labels)
        if is_window(name)
        else LABELS[name]
    )


def is_window(name):
    return bool(re.fullmatch(r"slo:bad:ratio_rate\w+", name))


def expressions(panel):
    return [promql.parse(expand(target["expr"])) for target in panel["targets"]]


def selectors(node):
    """Every vector selector of a parsed expression."""
    return (part for part in parts_of(node) if isinstance(part, promql.VectorSelector))


def parts_of(node):
    """A parsed expression and all within it."""
    yield node
    for name in ("lhs", "rhs", "expr", "args", "vector_selector"):
        child = getattr(node, name, None)
        for part in child if isinstance(child, (list, tuple)) else (child,):
            if part is not None:
                yield from parts_of(part)


def bound(node, by=None):
    """How many series an expression can have at most, by its shape alone, once it is put together by some labels."""
    match node:
        case promql.ParenExpr():
            return bound(node.expr, by)
        case promql.NumberLiteral():
            return float("inf")  # beside a vector, which then counts
        case promql.Call() if node.func.name in ("label_replace", "label_join", "ceil"):
            return bound(node.args[0])
        case promql.AggregateExpr():
            if str(node.op) in ("topk", "bottomk"):
                return node.param.val
            return 1 if node.modifier is None else bound(node.expr, set(node.modifier.labels))
        case promql.BinaryExpr():
            left, right = bound(node.lhs), bound(node.rhs)
            if str(node.op) == "or":
                return left + right
            matching = node.modifier and node.modifier.matching
            if str(node.op) == "and" and matching and not (by is not None and by <= set(matching.labels)):
                return left  # any number of series may agree with one on the right in these labels
            return min(left, right)
        case _:
            return float("inf")


def test_panel_asks_a_question_and_answers_in_sentences(panel):
    assert panel["title"]
    assert "?" in panel["description"]
    assert panel["description"].endswith((".", "?"))


def test_panel_says_what_bad_looks_like(panel):
    words = r"\b(bad|red|orange|above|only grows|falls?|rises?|too hot|under load|a change|worth a look)\b"
    assert re.search(words, panel["description"], re.IGNORECASE)


def test_panel_has_a_unit_and_a_text_for_no_data(panel):
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert len(defaults["noValue"]) > 5


def test_lines_have_legends_and_the_last_value(panel):
    if panel["type"] == "timeseries":
        assert panel["options"]["legend"]["showLegend"]
        assert panel["options"]["legend"]["calcs"] == ["last"]
        assert all(target["legendFormat"] for target in panel["targets"])


def test_lines_are_drawn_and_numbers_are_read_at_one_moment(panel):
    drawn = panel["type"] in ("timeseries", "state-timeline")
    assert {bool(target.get("range")) for target in panel["targets"]} == {drawn}


def test_a_board_reads_what_it_may(board):
    """Engines and GPUs by canonical signals only; the alerting and hosts by their own names, where it is about them."""
    foreign = {signal.name for signal in FOREIGN} | {deadman.LAST_HEARTBEAT.name}
    for panel in panels_of(board):
        for target in panel["targets"]:
            names = {selector.name for selector in selectors(promql.parse(expand(target["expr"])))}
            assert names
            assert all(is_window(name) or name in LABELS for name in names), names
            assert bool(names & {metric.bucket for metric in TRACED}) == bool(target.get("exemplar"))
            assert board["uid"] in ALERTING | HOSTS or not names & foreign, names


def test_and_is_in_parentheses_beside_or(panel):
    """`a or b and c` is `a or (b and c)`: what was meant to be kept to c's series would not be."""
    for expression in expressions(panel):
        for part in parts_of(expression):
            if isinstance(part, promql.BinaryExpr) and str(part.op) == "or":
                sides = [side for side in (part.lhs, part.rhs) if isinstance(side, promql.BinaryExpr)]
                assert not {str(side.op) for side in sides} & {"and", "unless"}, str(part)


def test_panel_matches_only_labels_that_the_signal_has(panel):
    for expression in expressions(panel):
        for selector in selectors(expression):
            assert {matcher.name for matcher in selector.matchers.matchers} <= labels_of(selector.name)


def test_panel_binds_every_variable_that_its_signals_have(panel):
    """All of it is filtered by cluster: the first link of every chain."""
    for target in panel["targets"]:
        for selector in selectors(promql.parse(target["expr"].replace("$__range", "1h").replace("$price", "1"))):
            matchers = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
            if matchers.get("alertname") != "Watchdog":
                assert matchers.get("cluster", "").startswith("$cluster"), str(selector)


def test_counters_are_rates_before_anything_else(panel):
    for target in panel["targets"]:
        text = expand(target["expr"])
        for name in {selector.name for selector in selectors(promql.parse(text))}:
            if name.endswith("_total") and ":" not in name:
                assert text.count(name) == len(re.findall(rf"(?:rate|increase)\({name}\b", text)), name


def test_legend_names_labels_that_the_query_keeps(panel):
    for target in panel["targets"]:
        for part in target.get("legendFormat", "").split("{{")[1:]:
            assert part.split("}}")[0] in target["expr"] or "bucket" in target["expr"]


def test_panel_is_bounded_whatever_the_fleet(panel):
    per_target = [bound(promql.parse(expand(target["expr"]))) for target in panel["targets"]]
    series = max(per_target) if panel["type"] == "table" else sum(per_target)
    assert series <= SERIES


def panel_of(uid, title):
    [panel] = [panel for panel in panels_of(BOARDS[uid]) if panel["title"] == title]
    return panel


def thresholds(uid, title):
    steps = panel_of(uid, title)["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return [(step["value"], step["color"]) for step in steps]


@pytest.mark.parametrize("uid", ["fleet", "gpu", "gpu-fleet"])
def test_margin_is_red_where_the_alert_fires(uid):
    assert thresholds(uid, "Degrees left before slowdown")[:2] == [(None, "red"), (MARGIN_CELSIUS, "orange")]


def test_a_promise_is_drawn_where_it_is_made():
    [promise] = [one for one in OBJECTIVES.promises if one.kind == "time_to_first_token"]
    [drawn] = [
        target["expr"]
        for target in panel_of("service", "Time to first token, inside and outside")["targets"]
        if "promised" in target["legendFormat"]
    ]
    assert drawn.endswith(f"* 0 + {promise.seconds:g})")
    assert f'service="{promise.service}"' in drawn


def test_latencies_have_exemplars_on_the_service_board():
    titles = {
        panel["title"]
        for panel in panels_of(BOARDS["service"])
        if any(target.get("exemplar") for target in panel["targets"])
    }
    assert titles == {
        "Time to first token, inside and outside",
        "Time per output token",
        "Gaps between two tokens",
        "Latency by phase",
    }


def test_heartbeat_is_red_where_the_dead_mans_switch_pages():
    assert thresholds("telemetry", "Heartbeat")[-1] == (3 * TIMING.heartbeat_interval, "red")


def test_panel_without_a_text_for_no_data_cannot_be_made():
    with pytest.raises(TypeError, match="nothing"):
        Said("Title", "Question?", unit="s", width=8)
