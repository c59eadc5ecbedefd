"""Reads the generated files, not the generator: every metric token must come from somewhere real."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import promql_parser
import pytest
import yaml

from exporters.catalogue import ALL_METRICS

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "alerts/generated").glob("*.yml"))
BOARDS = sorted((ROOT / "dashboards/generated").glob("*.json"))

# Made by Prometheus itself: `up` and `scrape_*` for each target, ALERTS for each pending or firing alert,
# ALERTS_FOR_STATE for since when.
BUILT_IN = {
    "up",
    "scrape_series_added",
    "scrape_samples_post_metric_relabeling",
    "scrape_duration_seconds",
    "ALERTS",
    "ALERTS_FOR_STATE",
}


def metric_tokens(node: object) -> Iterator[str]:
    """Names of all series that a parsed PromQL expression reads."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node.name
    for attribute in ("lhs", "rhs", "expr", "param", "args", "vector_selector"):
        child = getattr(node, attribute, None)
        for part in child if isinstance(child, (list, tuple)) else (child,):
            if part is not None:
                yield from metric_tokens(part)


def rules() -> Iterator[dict[str, object]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


@cache
def recorded() -> frozenset[str]:
    return frozenset(str(rule["record"]) for rule in rules() if "record" in rule)


@cache
def exposed() -> frozenset[str]:
    return frozenset(name for metric in ALL_METRICS for name in metric.exposed)


@cache
def foreign() -> frozenset[str]:
    """Names on the pages that were recorded from Prometheus, Alertmanager and node-exporter."""
    pages = [path.read_text() for path in (ROOT / "tests/fixtures/exporters").glob("*.prom")]
    return frozenset(name for page in pages for name in re.findall(r"^([a-zA-Z_:]\w*)", page, re.MULTILINE))


def queries_of(board: Path) -> Iterator[tuple[str, bool]]:
    """Every PromQL text of a board, Grafana's variables replaced by what parses, and whether it is for exemplars."""

    def walk(value: object) -> Iterator[tuple[str, bool]]:
        if isinstance(value, dict):
            if isinstance(value.get("expr"), str):
                yield value["expr"], bool(value.get("exemplar"))
            for child in value.values():
                yield from walk(child)
        elif isinstance(value, list):
            for child in value:
                yield from walk(child)

    for expr, exemplars in walk(json.loads(board.read_text())):
        yield expr.replace("$__range", "1h").replace("$price", "1"), exemplars


def named(rules):
    """Test parameters with names that differ where rules share one."""
    names = Counter()
    for rule in rules:
        name = rule.get("alert") or rule["record"]
        names[name] += 1
        yield pytest.param(rule, id=f"{name}-{names[name]}")


@pytest.mark.parametrize("rule", list(named(rules())))
def test_a_rule_reads_only_series_that_something_provides(rule):
    tokens = set(metric_tokens(promql_parser.parse(rule["expr"])))

    assert tokens or rule["expr"] == "vector(1)"
    assert tokens <= exposed() | recorded() | foreign() | BUILT_IN


@pytest.mark.parametrize("rule", list(named(rule for rule in rules() if "alert" in rule)))
def test_an_alert_reads_canonical_signals_and_foreign_pages_only(rule):
    assert set(metric_tokens(promql_parser.parse(rule["expr"]))) <= recorded() | foreign() | BUILT_IN


@pytest.mark.parametrize("rule", list(named(rule for rule in rules() if rule.get("annotations"))))
def test_the_text_of_an_alert_asks_for_series_that_something_provides(rule):
    queries = re.findall(r"`([^`]*)`", " ".join(rule["annotations"].values()))
    tokens = {
        token
        for query in queries
        for token in metric_tokens(promql_parser.parse(query.replace("%q", '""').replace("%s", "")))
    }

    assert tokens <= recorded() | BUILT_IN


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_a_board_reads_only_series_that_something_provides(board):
    """Recorded and foreign ones, and our own exporters' for exemplars and for the dead man's switch."""
    queries = list(queries_of(board))
    own = {name for name in exposed() if name.startswith("inferwatch_deadman_")}

    assert queries
    for expr, exemplars in queries:
        known = exposed() if exemplars else recorded() | foreign() | own | BUILT_IN
        assert set(metric_tokens(promql_parser.parse(expr))) <= known, expr
