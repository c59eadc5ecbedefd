"""Boards over the running stack under load: every query has data, latencies lead to traces, choices can be made."""

import math
import re
import subprocess
import sys
import time

import httpx
import pytest

from alerts import signals
from tests.boards import BOARDS, EMPTY, EMPTY_QUERIES, RANGES, each_panel, expand, panels_of, targets

pytestmark = pytest.mark.e2e

LOAD_SECONDS = 20
SLOW_SECONDS = 90
"""Budgets are made once a minute on any clock, at a second of it that Prometheus picks; and half a minute to spare."""


@pytest.fixture(scope="module")
def loaded(running):
    """The stack after as much load as its windows need at the compressed clock; and while more of it comes."""
    command = (sys.executable, "-m", "inference.load", "--url", running.native.url("inference"), "--rate", "3")
    load = subprocess.Popen((*command, "--duration", "inf"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(LOAD_SECONDS)
        give_up = time.monotonic() + SLOW_SECONDS
        while not running.query(signals.SLO_BUDGET_REMAINING.name) and time.monotonic() < give_up:
            time.sleep(1)
        yield running
    finally:
        load.terminate()
        load.wait(timeout=30)


def has_data(running, expr, seconds, instant):
    """Whether a query, as the panel sends it, returns any number."""
    now = time.time()
    url, asked = "query", {"query": expr, "time": now}
    if not instant:
        url, asked = "query_range", {"query": expr, "start": now - seconds, "end": now, "step": max(1, seconds / 800)}
    answer = httpx.post(f"{running.native.url('prometheus')}/api/v1/{url}", data=asked, timeout=30)
    assert answer.status_code == 200, answer.text
    found = answer.json()["data"]["result"]
    values = [value for one in found for _, value in one.get("values", [one.get("value", (0, "NaN"))])]
    return any(not math.isnan(float(value)) for value in values)


@pytest.mark.parametrize("uid", BOARDS)
def test_every_query_of_every_panel_has_data_under_load(loaded, uid):
    seconds = RANGES[BOARDS[uid]["time"]["from"]]
    empty = {}
    for panel in panels_of(BOARDS[uid]):
        instant = bool(panel["targets"][0].get("instant"))
        answered = [has_data(loaded, expr, seconds, instant) for expr in targets(panel, seconds=seconds)]
        empty[f"{uid}: {panel['title']}"] = answered
    without = {name for name, answered in empty.items() if not any(answered)}
    partly = {name for name, answered in empty.items() if any(answered) and not all(answered)}

    assert without <= set(EMPTY)
    assert partly <= set(EMPTY_QUERIES) | set(EMPTY)


def test_every_exception_is_a_panel_with_a_reason():
    assert set(EMPTY) | set(EMPTY_QUERIES) <= set(each_panel())
    assert all(len(reason.split()) > 3 for _, reason in EMPTY.values())


@pytest.mark.parametrize("panel", [panel["title"] for panel in panels_of(BOARDS["service"])])
def test_latencies_lead_to_traces(loaded, panel):
    [found] = [one for one in panels_of(BOARDS["service"]) if one["title"] == panel]
    for target in found["targets"]:
        if target.get("exemplar"):
            now = time.time()
            asked = {"query": expand(target["expr"]), "start": now - 1800, "end": now}
            answer = httpx.get(f"{loaded.native.url('prometheus')}/api/v1/query_exemplars", params=asked)
            answer.raise_for_status()
            traces = {dot["labels"]["trace_id"] for series in answer.json()["data"] for dot in series["exemplars"]}
            assert traces
            assert all(re.fullmatch(r"[0-9a-f]{32}", trace) for trace in traces)


@pytest.mark.parametrize("uid", BOARDS)
def test_every_variable_offers_something_to_choose(loaded, uid):
    for variable in BOARDS[uid]["templating"]["list"]:
        if variable["type"] == "query":
            asked = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"])
            answer = httpx.get(
                f"{loaded.native.url('prometheus')}/api/v1/label/{asked[2]}/values",
                params={"match[]": expand(asked[1])},
            )
            assert answer.raise_for_status().json()["data"], variable["name"]


@pytest.mark.parametrize("uid", BOARDS)
def test_every_mark_can_be_asked_for(loaded, uid):
    for mark in BOARDS[uid]["annotations"]["list"]:
        if "expr" in mark:
            loaded.query(expand(mark["expr"]))
