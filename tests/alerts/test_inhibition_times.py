"""The inhibition graph: no cycles, and every edge leads and trails by enough (reference: alerting, 2.4)."""

from dataclasses import replace
from graphlib import TopologicalSorter

import pytest

from alerts.rules import catalogue, groups
from alerts.rules.inhibitors import lead_seconds, tail_seconds, twin_name
from alerts.timing import load

REAL = load()
CLOCKS = {
    "real": REAL,
    "compressed": REAL.at("compressed"),
    "relaxed": REAL.at("relaxed"),
    "scrape 15 s": replace(
        REAL,
        scrape_interval=15,
        scrape_timeout=10,
        evaluation_interval=15,
        symptom_group_wait=90,
        root_group_wait=40,
    ),
}
KNOWN = {clock: catalogue(clock) for clock in CLOCKS.values()}
EDGES = [(root.name, mute) for root in KNOWN[REAL].values() for mute in root.mutes]


GPU_ROOTS = ("GpuFallenOffBus", "GpuMissing", "GpuXidFatal", "GpuEccUncorrectable", "GpuOverheating")


def test_engine_roots_mute_the_symptoms_of_their_service():
    edges = {(root, mute.alert, mute.equal) for root, mute in EDGES}

    assert ("EngineDown", "ServiceDown", ("cluster", "service")) in edges
    assert ("EngineHung", "ServiceDown", ("cluster", "service")) in edges


def test_gpu_roots_mute_each_other_downwards_only_and_on_the_same_gpu():
    edges = {(root, mute.alert): mute.equal for root, mute in EDGES}
    pairs = {(upper, lower) for i, upper in enumerate(GPU_ROOTS) for lower in GPU_ROOTS[i + 1 :]}

    assert {edge for edge in edges if set(edge) <= set(GPU_ROOTS)} == pairs
    assert {edges[pair] for pair in pairs} == {("cluster", "host", "uuid")}


def test_the_graph_has_no_cycle():
    graph: dict[str, set[str]] = {}
    for root, mute in EDGES:
        graph.setdefault(mute.alert, set()).add(root)

    assert set(TopologicalSorter(graph).static_order()) <= set(catalogue(REAL))


@pytest.mark.parametrize("clock", CLOCKS.values(), ids=CLOCKS)
@pytest.mark.parametrize(("root", "mute"), EDGES, ids=lambda value: value if isinstance(value, str) else value.alert)
def test_a_root_is_pending_before_its_symptom_could_be_sent(root, mute, clock):
    known = KNOWN[clock]

    assert lead_seconds(known[root], mute, known[mute.alert], clock) > 0


@pytest.mark.parametrize("clock", CLOCKS.values(), ids=CLOCKS)
@pytest.mark.parametrize("root", [root for root, mute in EDGES if mute.alert == "SloFastBurn"])
def test_a_burning_budget_waits_for_its_root_also_where_alertmanager_does_not(root, clock):
    """Alertmanager skips the group wait while a group still holds what has recovered in the last 15 minutes."""
    known = catalogue(clock)
    mute = next(mute for mute in known[root].mutes if mute.alert == "SloFastBurn")
    lead = lead_seconds(known[root], mute, known["SloFastBurn"], clock)

    assert lead - clock.symptom_group_wait > 0


@pytest.mark.parametrize("clock", CLOCKS.values(), ids=CLOCKS)
@pytest.mark.parametrize(("root", "mute"), EDGES, ids=lambda value: value if isinstance(value, str) else value.alert)
def test_a_twin_outlives_the_symptoms_hold_and_probe_cycle(root, mute, clock):
    symptom = KNOWN[clock][mute.alert]
    hold = clock.window(symptom.keep_firing) if symptom.keep_firing else 0

    # The symptom clears after the next good sample, its scrape, what it remembers, its evaluation and its hold.
    slowest = clock.scrape_interval + symptom.memory + clock.evaluation_interval + hold
    assert tail_seconds([symptom], clock) >= slowest


def test_a_twin_follows_its_root_in_the_same_group():
    for group in groups(REAL):
        names = [alert.name for alert in group.alerts]
        for alert in group.alerts:
            for mute in alert.mutes:
                assert names.index(twin_name(alert, mute)) > names.index(alert.name)


def test_a_mute_without_labels_is_refused():
    alert = catalogue(REAL)["EngineDown"]
    bad = replace(alert.mutes[0], equal=())

    with pytest.raises(ValueError, match="mute the world"):
        replace(alert, mutes=(bad,))


def test_a_clock_that_sends_the_symptom_first_is_refused_with_what_would_do():
    slow = replace(REAL, scrape_interval=15, scrape_timeout=10, evaluation_interval=15)

    with pytest.raises(ValueError, match="set root_group_wait to 40 or more and symptom_group_wait to 100 or more"):
        groups(slow)


def test_what_breaks_a_whole_service_mutes_its_page_for_a_burning_budget_and_that_its_ticket():
    edges = {(root, mute.alert): mute.equal for root, mute in EDGES}

    for root in ("EngineDown", "EngineHung", "ServiceCapacityLost", "ServiceDown"):
        assert edges[root, "SloFastBurn"] == ("cluster", "service")
    assert edges["SloFastBurn", "SloSlowBurn"] == ("cluster", "namespace", "slo")


@pytest.mark.parametrize("clock", CLOCKS.values(), ids=CLOCKS)
def test_the_tail_outlives_the_short_windows_of_promises(clock):
    known = KNOWN[clock]
    windows = {"SloFastBurn": clock.window(150), "SloSlowBurn": 6 * 3600}
    base = clock.window(60)

    for root, mute in EDGES:
        if mute.alert in windows:
            # The last bad request leaves the rate, then the short window, and the alert is held.
            symptom = known[mute.alert]
            slowest = base + windows[mute.alert] + clock.window(symptom.keep_firing)
            assert tail_seconds([symptom], clock) > slowest, root


def test_every_mute_names_an_alert_that_there_is():
    assert {mute.alert for _, mute in EDGES} <= set(catalogue(REAL))
