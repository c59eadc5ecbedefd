"""Inhibit rules come from the declared edges, with presence matchers on both sides."""

from alertmanager.inhibition import inhibit_rules
from alerts.rule import Alert, Group, Mute
from alerts.rules import groups
from alerts.timing import load


def root(*mutes: Mute) -> Alert:
    return Alert("RootBroken", "up == 0", "page", "root", "engine", "s", "i", "a", "d", board="d/x", mutes=mutes)


def test_an_edge_becomes_a_rule_from_the_twin_to_the_muted_alert() -> None:
    group = Group("g", (), (root(Mute("ServiceDown", ("cluster", "service"))),))
    assert inhibit_rules([group]) == [
        {
            "source_matchers": ['alertname="RootBrokenMutesService"', 'cluster!=""', 'service!=""'],
            "target_matchers": ['alertname="ServiceDown"', 'cluster!=""', 'service!=""'],
            "equal": ["cluster", "service"],
        }
    ]


def test_an_alert_that_declares_no_edge_mutes_nothing() -> None:
    assert inhibit_rules([Group("g", (), (root(),))]) == []


def test_a_dead_engine_mutes_its_service_in_the_catalogue() -> None:
    edges = {(rule["source_matchers"][0], rule["target_matchers"][0]) for rule in inhibit_rules(groups(load()))}
    assert ('alertname="EngineDownMutesService"', 'alertname="ServiceDown"') in edges


def test_every_source_is_a_twin_that_the_rules_make() -> None:
    twins = {alert.name for group in groups(load()) for alert in group.alerts if alert.cls == "inhibitor"}
    for rule in inhibit_rules(groups(load())):
        assert rule["source_matchers"][0].split('"')[1] in twins
