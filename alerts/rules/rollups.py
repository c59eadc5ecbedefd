"""One page instead of many: mass failures that mute their members, and symptoms whose cause may be silenced.

Order: PrometheusIsolated > FleetTargetsDown > HostDown > TargetDown and EngineDown.
"""

from alerts import boards, foreign, signals
from alerts.engines.adapter import record
from alerts.objectives import Objectives
from alerts.rule import Alert, Group, Mute
from alerts.rules import service, slo
from alerts.timing import Timing, duration
from exporters.catalogue import deadman
from exporters.catalogue.labels import CLUSTER, JOB

_BOARD = boards.OF_ALERTING

MASS_HOSTS = 5
"""Hosts on which one job goes away together: five independent failures within a minute do not happen (design, 5)."""
MASS_RATIO = 0.1
"""Or this share of the job's targets: small fleets have a common cause at fewer than five."""
MASS_TARGETS = 3
"""But at least so many: two may be chance, and need no roll-up to be readable."""
TOGETHER_SECONDS = 60
"""Within which they went away to count as one failure; a host that has been dead for a week is not part of it."""
ISOLATED_RATIO = 0.9
"""Share of all targets that are away where it is likelier that Prometheus is cut off than that all are dead."""
UNEXPLAINED_SECONDS = 300
"""Whoever silences what pages needs this long to see what it was; then it is not by accident (reference, 2.4)."""


def group(timing: Timing, objectives: Objectives) -> Group:
    """Roll-ups, then the net below everything that mutes."""
    groups = (service.group(timing, objectives), slo.group(timing, objectives))
    symptoms = [alert for one in groups for alert in one.alerts if alert.cls == "symptom" and alert.severity == "page"]
    own = " or ".join(str(series) for series in (foreign.PROMETHEUS_BUILD, foreign.ALERTMANAGER_BUILD, deadman.TIMEOUT))
    parts = record(signals.OWN_PARTS, f"{foreign.UP} and on (cluster, job, instance) ({own})")
    together = duration(timing.window(TOGETHER_SECONDS))
    lost = record(signals.LOST, f"{foreign.UP} == 0 and max_over_time({foreign.UP.over(together)}) == 1")
    return Group("rollups", (parts, lost), (_isolated(timing), _fleet(timing), _unexplained(timing, symptoms)))


def _isolated(timing: Timing) -> Alert:
    # What the alerting itself is made of runs beside Prometheus and proves no connection to anything.
    others = f"({foreign.UP} unless on (cluster, job, instance) {signals.OWN_PARTS})"
    down = f"count by (cluster) ({others} == 0)"
    members = ("FleetTargetsDown", "HostDown", "TargetDown", "EngineDown")
    return Alert(
        name="PrometheusIsolated",
        expr=f"{down} >= {MASS_TARGETS}\nand {down} >= {ISOLATED_RATIO:g} * count by (cluster) {others}",
        severity="page",
        cls="root",
        component="telemetry",
        summary="Cut off: Prometheus sees nothing of cluster {{ $labels.cluster }}",
        impact="Either all of {{ $labels.cluster }} is down, or nobody is told of what breaks there.",
        action="Send one request to a service of {{ $labels.cluster }} from elsewhere: is it down, or only unseen?",
        description="Almost every target in {{ $labels.cluster }} stopped answering Prometheus. Alerts for single "
        "targets, engines and hosts there are muted while this lasts.",
        value="{{ $value | humanize }} targets down",
        threshold=f"less than {ISOLATED_RATIO * 100:g} % of all targets, or fewer than {MASS_TARGETS}",
        board=_BOARD,
        pending=15,
        keep_firing=60,
        delay=timing.scrape_timeout,
        mutes=tuple(Mute(member, (CLUSTER,)) for member in members),
    )


def _fleet(timing: Timing) -> Alert:
    together = duration(timing.window(TOGETHER_SECONDS))
    down = f"{foreign.UP} == 0"
    members = ("HostDown", "TargetDown", "EngineDown")
    return Alert(
        name="FleetTargetsDown",
        # Starts with many that went away together, and lasts while as many are away.
        expr=f"count by (cluster, job) ({down})\nand ({_mass(down)})\n"
        f'and on (cluster, job) (\n  {_mass(str(signals.LOST))}\n  or ALERTS{{alertname="FleetTargetsDown"}}\n)',
        severity="page",
        cls="root",
        component="telemetry",
        summary="Mass failure: many {{ $labels.job }} targets in {{ $labels.cluster }}",
        impact="One cause has taken many at once; services that need them fail or are about to.",
        action="Look for what they share: a switch, a rack, a power feed, or the last roll-out of {{ $labels.job }}.",
        description=f"Within {together}, many targets of {{{{ $labels.job }}}} in {{{{ $labels.cluster }}}} stopped "
        "answering. Alerts for each of them are muted while this lasts.",
        value="{{ $value | humanize }} targets down",
        threshold=f"fewer than {MASS_TARGETS} or less than {MASS_RATIO * 100:g} % of the job, "
        f"on fewer than {MASS_HOSTS} hosts",
        board=_BOARD,
        pending=15,
        keep_firing=60,
        delay=timing.scrape_timeout,
        mutes=tuple(Mute(member, (CLUSTER, JOB)) for member in members),
    )


def _mass(targets: str) -> str:
    """Something for each job whose targets of an expression are a mass failure."""
    number = f"count by (cluster, job) ({targets})"
    hosts = f"count by (cluster, job) (count by (cluster, job, host) ({targets}))"
    everyone = f"count by (cluster, job) ({foreign.UP})"
    share = f"{number} >= {MASS_TARGETS} and {number} >= {MASS_RATIO:g} * {everyone}"
    return f"{share} or {hosts} >= {MASS_HOSTS}"


def _unexplained(timing: Timing, symptoms: list[Alert]) -> Alert:
    bridge = duration(timing.window(15))
    symptom = 'ALERTS{class="symptom", severity="page", alertstate="firing"}'
    of = '{class="symptom", severity="page", alertstate="firing", cluster="%s", service="%s"}'
    named = (
        "{{ range $i, $one := query (printf `ALERTS" + of + "` $labels.cluster $labels.service) }}"
        "{{ if $i }}, {{ end }}{{ $one.Labels.alertname }}{{ end }}"
    )
    return Alert(
        name="SymptomUnexplained",
        # Without a silence, a symptom is sent unless a page that is sent mutes it. Which alerts a silence matches, no
        # metric tells: while there is any, what mutes a symptom may be a page that nobody hears of.
        expr=f"count by (cluster, service) ({symptom})\n"
        f"and on () (sum(last_over_time({foreign.SILENCES.where(state='active').over(bridge)})) > 0)",
        severity="page",
        cls="meta",
        component="service",
        summary="Unexplained: users of {{ $labels.service }} are hurt, and a silence may hide why",
        impact="Users of {{ $labels.service }} are hurt, and the page that says so may have been muted or silenced.",
        action="Do the first step of the alert named here, as if it had paged you; then look at amtool silence query.",
        description=f"{named} of {{{{ $labels.service }}}} goes on while a silence is active, which may be that of its "
        "cause.",
        value="{{ $value | humanize }} of its symptoms fire",
        board=boards.OF_FLEET,
        pending=UNEXPLAINED_SECONDS,
        keep_firing=60,
        # The slowest symptom must fire first.
        delay=max(one.bound(timing) for one in symptoms),
        memory=max(one.drain(timing) for one in symptoms),
    )
