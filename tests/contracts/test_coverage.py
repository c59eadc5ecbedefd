"""Every alert has what makes it trustworthy: a runbook, cases that fire and that stay quiet, and a drill."""

import re
from pathlib import Path

import pytest
import yaml

from alerts.drills import DRILLS
from alerts.rules import catalogue
from alerts.timing import load

ROOT = Path(__file__).parents[2]
ALERTS = tuple(catalogue(load()).values())
RUNBOOKS = ROOT / "alerts/runbooks"
CASES = [
    case
    for path in sorted((ROOT / "tests/alerts").glob("*.yml"))
    for test in yaml.safe_load(path.read_text())["tests"]
    for case in test.get("alert_rule_test", [])
]
HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "False alarms"]

HOST = "a drill would have to hurt the machine that everybody else on it uses"
BAND = "beside one replica only 5 to 6.25 % may fail before the users' page mutes it, of 40 requests a second"
# Alerts whose fault cannot be injected for real yet, and why; promtool proves them alone.
WITHOUT_DRILL = {
    "EngineModelNotLoaded": "all replicas are needed here, so that ServiceCapacityLost pages for it and mutes it",
    "EngineCrashLoop": "at the tests' clock each start takes longer than the `for` of EngineDown's page",
    "EngineKvCacheSaturated": "a cache of 16 rows is that full only while nobody is let in, no probe either: a page",
    "EngineRejections": BAND,
    "EngineErrorsInternal": BAND,
    "EngineThroughputDrop": "on the tests' clock, slow is usual after 30 s and `for` takes 36; else it takes 40 min",
    "EngineConfigDrift": "needs a second replica of another version or settings; the Stack Protocol starts the same",
    "SloSlowBurn": "needs three quarters of an hour of total failure; its windows are not compressed",
    "HostDown": "needs a second host; the only one runs the alerting itself",
    "HostMemoryHigh": HOST,
    "HostOomKill": HOST,
    "HostDiskFull": HOST,
    "HostShmFull": HOST,
    "HostCpuSaturated": HOST,
    "HostCpuSteal": "only the hypervisor below can take CPU time away",
    "HostClockSkew": HOST,
    "HostNetworkErrors": HOST,
    "ExporterStale": "no part can be made to answer with an old page through the Stack Protocol",
    "TelemetryDropping": "the native stack sends its spans nowhere, so that none can be lost",
    "ScrapeLimitHit": "no part can be made to show tens of thousands of series on request",
    "CardinalityGrowth": "no part can be made to grow thousands of series on request",
    "RuleEvaluationMissed": HOST,
    "TsdbTrouble": "needs a disk that fails under Prometheus",
    "AlertmanagerUnreachable": "its own message waits for the Alertmanager that is away",
}

each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


@each_alert
def test_an_alert_has_a_runbook_with_every_heading_filled(alert):
    text = (RUNBOOKS / f"{alert.name}.md").read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)

    assert sections[0].strip() == f"# {alert.name}"
    assert [section.splitlines()[0] for section in sections[1:]] == HEADINGS
    assert all(len(section.splitlines()) > 2 for section in sections[1:])


def test_every_runbook_belongs_to_an_alert():
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {alert.name for alert in ALERTS}


@each_alert
def test_an_alert_has_a_case_that_fires_with_its_full_text(alert):
    fired = [a for case in CASES if case["alertname"] == alert.name for a in case.get("exp_alerts", [])]

    assert any(a["exp_labels"]["severity"] == alert.severity and "summary" in a["exp_annotations"] for a in fired)


@pytest.mark.parametrize("alert", [a for a in ALERTS if a.name != "Watchdog"], ids=lambda alert: alert.name)
def test_an_alert_but_the_heartbeat_has_a_case_that_stays_quiet(alert):
    assert any(case["alertname"] == alert.name and not case.get("exp_alerts") for case in CASES)


@each_alert
def test_an_alert_has_a_drill_in_the_channels_of_its_severity(alert):
    drills = [drill for drill in DRILLS if drill.alert == alert.name]

    assert bool(drills) != (alert.name in WITHOUT_DRILL)
    # The page of a lost heartbeat is the dead man's, sent to both channels although Watchdog itself is no page.
    channels = ("slack",) if alert.severity == "ticket" else ("slack", "email")
    assert all(sorted(drill.channels + drill.broken) == sorted(channels) for drill in drills)


def test_every_exception_from_drills_is_a_ticket_with_a_reason():
    assert set(WITHOUT_DRILL) <= {alert.name for alert in ALERTS if alert.severity == "ticket"}
    assert all(len(reason.split()) > 4 for reason in WITHOUT_DRILL.values())


def test_a_hard_page_reaches_people_within_60_seconds():
    timing = load()
    hard = [alert for alert in ALERTS if alert.hard]

    assert {alert.name for alert in hard} == {
        "EngineDown",
        "EngineHung",
        "GpuFallenOffBus",
        "GpuMissing",
        "GpuXidFatal",
        "GpuEccUncorrectable",
        "GpuOverheating",
    }
    assert all(alert.bound(timing) <= 60 for alert in hard)


def test_service_down_reaches_people_within_90_seconds():
    timing = load()
    assert catalogue(timing)["ServiceDown"].bound(timing) <= 90
