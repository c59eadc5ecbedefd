"""Are the promises of objectives.yaml kept? Their error budgets, and an alert where one burns too fast.

Two groups. `slo` makes the rates of good and bad requests of each promise, the short windows and the page. `slo-slow`
thins those rates out to one value a minute, from which windows over an hour, the ticket and the budget are made.

A time without data counts as one in which all went well, so that minutes of a young service are no month of history.
"""

from dataclasses import dataclass

from alerts import boards, burn_rate, signals
from alerts.burn_rate import DAY, MINUTE, Pair
from alerts.engines.adapter import record
from alerts.objectives import Kind, Objectives, Promise
from alerts.rule import Alert, Group, Mute, Recording
from alerts.rules.service import ENGINE_TICKETS
from alerts.signals import Signal
from alerts.timing import Timing, duration
from exporters.catalogue.labels import CLUSTER, NAMESPACE, SERVICE

FAST, SLOW = "SloFastBurn", "SloSlowBurn"
STANDARD_RATIOS = (0.9999, 0.999, 0.99, 0.95, 0.9)
"""Rows of the detection table besides the objectives that there are."""

_BY = "cluster, namespace, service"
_BOARD = boards.OF_PROMISES
_THINNED_TOTAL, _THINNED_BAD = "slo:total:mean1m", "slo:bad:mean1m"
_BUCKETS = {
    "time_to_first_token": signals.TIME_TO_FIRST_TOKEN,
    "time_per_output_token": signals.TIME_PER_OUTPUT_TOKEN,
}
_WRONG: dict[Kind, str] = {
    "availability": "failed",
    "time_to_first_token": "waited more than {limit} for the first token",
    "time_per_output_token": "took more than {limit} per token",
}
_TITLES: dict[Kind, str] = {
    "availability": "fails requests",
    "time_to_first_token": "is slow to begin its answers",
    "time_per_output_token": "is slow to go on with its answers",
}
_IMPACTS: dict[Kind, str] = {
    "availability": "Users{model} of {{{{ $labels.service }}}} get errors instead of answers.",
    "time_to_first_token": "Users{model} of {{{{ $labels.service }}}} wait more than {limit} before an answer begins.",
    "time_per_output_token": "Users{model} of {{{{ $labels.service }}}} see answers stutter, {limit} a token and more.",
}
_FIRST_STEPS: dict[Kind, str] = {
    "availability": "See which error_type rose (runbook, step 1), and undo what was changed when it began.",
    "time_to_first_token": "Look whether requests wait: if they do, add replicas or shed load; else see the runbook.",
    "time_per_output_token": "Look whether a GPU is slowed down or batches grew when it began (runbook, step 3).",
}


def group(timing: Timing, objectives: Objectives) -> Group:
    """Rates and short windows of every promise, then the page."""
    fast = {promise: _fast_pairs(promise, timing, objectives) for promise in objectives.promises}
    pairs = {pair for found in fast.values() for pair in found}
    seconds = sorted({window for pair in pairs for window in (pair.long, pair.short)})
    rates = _Rates(signals.SLO_TOTAL.name, signals.SLO_BAD.name, timing.evaluation_interval)
    recordings = tuple(rule for promise in objectives.promises for rule in _base(promise))
    recordings += tuple(_window(rates, one, timing.window(one), objectives.min_rate) for one in seconds)
    alerts = tuple(_fast(promise, found, fast, timing, objectives) for promise, found in fast.items())
    return Group("slo", recordings, alerts, notes=detection(timing, objectives) if fast else ())


def slow_group(timing: Timing, objectives: Objectives) -> Group:
    """Long windows of every promise, its budget, then the ticket; at real length also on the compressed clock.

    A drill's minute of failure would be an hour of it there, and open a ticket about a month.
    """
    period = objectives.period_days * DAY
    pairs = burn_rate.slow_pairs(period, objectives.threshold(SLOW, burn_rate.SLOW_SHARE))
    step = max(float(burn_rate.SLOW_STEP), timing.evaluation_interval)
    # As long as the step, and at least three scrapes.
    mean = duration(max(step, 3 * timing.scrape_interval))
    recordings = (
        Recording(_THINNED_TOTAL, f"avg_over_time({signals.SLO_TOTAL.over(mean)})"),
        Recording(_THINNED_BAD, f"avg_over_time({signals.SLO_BAD.over(mean)})"),
        *(
            _window(_Rates(_THINNED_TOTAL, _THINNED_BAD, step), one, one, objectives.min_rate)
            for one in sorted({window for pair in pairs for window in (pair.long, pair.short)})
        ),
        _budget(period, step),
    )
    alerts = tuple(_slow(promise, pairs, timing, objectives) for promise in objectives.promises)
    return Group("slo-slow", recordings if alerts else (), alerts, interval=step)


@dataclass(frozen=True, slots=True)
class Condition:
    """A promise's alert fires while both windows are above the threshold."""

    long: Signal
    short: Signal
    threshold: float
    """Share of bad requests, 0 to 1."""


def conditions(promise: Promise, timing: Timing, objectives: Objectives) -> dict[str, tuple[Condition, ...]]:
    """When each alert of a promise fires, by alert name: for boards, which draw how near to it a promise is."""
    slow = burn_rate.slow_pairs(objectives.period_days * DAY, objectives.threshold(SLOW, burn_rate.SLOW_SHARE))
    return {
        name: tuple(Condition(_ratio(pair.long), _ratio(pair.short), pair.threshold(promise.allowed)) for pair in pairs)
        for name, pairs in ((FAST, _fast_pairs(promise, timing, objectives)), (SLOW, slow))
    }


def _ratio(seconds: float) -> Signal:
    about = f"Share of bad requests over {duration(seconds)}; absent where too few were asked for."
    return Signal(_ratio_name(seconds), about, signals.SLO_BAD.labels)


def detection(timing: Timing, objectives: Objectives) -> tuple[str, ...]:
    """From a fault to the alert, by objective and size of the fault, as lines of a table."""
    shares = (
        objectives.threshold(FAST, burn_rate.FAST_SHARE),
        objectives.threshold(SLOW, burn_rate.SLOW_SHARE),
    )
    ratios = (*STANDARD_RATIOS, *(promise.ratio for promise in objectives.promises))
    return (
        "From a fault to SloFastBurn (page) and SloSlowBurn (ticket), by the share of requests that it makes bad.",
        *burn_rate.table(ratios, objectives.period_days * DAY, shares, burn_rate.lag(timing)),
    )


def _fast_pairs(promise: Promise, timing: Timing, objectives: Objectives) -> tuple[Pair, ...]:
    share = objectives.threshold(FAST, burn_rate.FAST_SHARE)
    return burn_rate.fast_pairs(promise.allowed, objectives.period_days * DAY, share, burn_rate.lag(timing))


def _base(promise: Promise) -> tuple[Recording, ...]:
    """Requests a second that a promise is about, the ones that broke it, and its objective."""
    labels = {"slo": promise.slo} | ({"model": promise.model} if promise.model else {})
    total, bad = _latency(promise) if promise.seconds is not None else _availability(promise)
    return (
        Recording(signals.SLO_TOTAL.name, total, labels),
        Recording(signals.SLO_BAD.name, bad, labels),
        Recording(
            signals.SLO_OBJECTIVE.name, f"{signals.SLO_TOTAL.where(slo=promise.slo)} * 0 + {promise.ratio}", labels
        ),
    )


def _availability(promise: Promise) -> tuple[str, str]:
    valid, failed = (_of(promise, signal) for signal in (signals.VALID_REQUESTS, signals.FAILED_REQUESTS))
    return f"sum by ({_BY}) ({valid})", f"sum by ({_BY}) ({failed})"


def _latency(promise: Promise) -> tuple[str, str]:
    buckets = _of(promise, _BUCKETS[promise.kind])
    # Prometheus 3 writes le="1.0" for what 2.42 keeps as the engine wrote it.
    edge = f"{promise.seconds:g}".replace(".", r"\.")
    good = buckets.where(le__re=edge if "." in edge else rf"{edge}(\.0)?")
    total = f"sum by ({_BY}) ({buckets.where(le='+Inf')})"
    return total, f"clamp_min({total} - sum by ({_BY}) ({good}), 0)"


def _of(promise: Promise, signal: Signal) -> Signal:
    """A signal of the promise's service, and of its models."""
    found = signal.where(service=promise.service)
    if promise.model:
        return found.where(model=promise.model)
    # One matcher a model: names may hold what a regular expression would read otherwise.
    for model in promise.other_than:
        found = found.where(model__ne=model)
    return found


def _ratio_name(seconds: float) -> str:
    return f"slo:bad:ratio_rate{duration(seconds)}"


@dataclass(frozen=True, slots=True)
class _Rates:
    """Names of recorded rates, and how many seconds apart their samples are."""

    total: str
    bad: str
    step: float


def _window(rates: _Rates, named: float, seconds: float, min_rate: float) -> Recording:
    """Share of bad requests over a window, where it saw enough of them; what it lacks of data counts as good.

    Args:
        rates: What it looks at.
        named: Its length at the real clock, in seconds.
        seconds: And on this one.
        min_rate: Requests a second that are enough.
    """
    samples, span = seconds / rates.step, duration(seconds)
    asked = f"sum_over_time({rates.total}[{span}])"
    return Recording(
        _ratio_name(named),
        f"sum_over_time({rates.bad}[{span}]) / {asked}\n"
        f"* clamp_max(count_over_time({rates.total}[{span}]) / {samples:g}, 1)\n"
        f"and {asked} >= {min_rate * samples:g}",
    )


def _budget(period: float, step: float) -> Recording:
    span = duration(period)
    # A budget is there to be read also while the service is down.
    allowed = f"(1 - last_over_time({signals.SLO_OBJECTIVE.over('1h')}))"
    return record(
        signals.SLO_BUDGET_REMAINING,
        f"1 - sum_over_time({_THINNED_BAD}[{span}]) / (sum_over_time({_THINNED_TOTAL}[{span}]) > 0)\n"
        f"* clamp_max(count_over_time({_THINNED_TOTAL}[{span}]) / {period / step:g}, 1) / {allowed}",
    )


def _burning(promise: Promise, pairs: tuple[Pair, ...]) -> str:
    windows = []
    for pair in pairs:
        threshold = f"{pair.threshold(promise.allowed):g}"
        long, short = _ratio_name(pair.long), _ratio_name(pair.short)
        windows.append(f'{long}{{slo="{promise.slo}"}} > {threshold} and {short} > {threshold}')
    return "\nor\n".join(windows)


def _fast(
    promise: Promise,
    pairs: tuple[Pair, ...],
    every: dict[Promise, tuple[Pair, ...]],
    timing: Timing,
    objectives: Objectives,
) -> Alert:
    base = timing.window(burn_rate.BASE_SECONDS)

    # The alert has one time from fault to message, and one to its end: those of its slowest promise.
    def noticed(bad: float) -> list[float]:
        return [
            min(timing.window(pair.long) / pair.long * pair.seconds(one.allowed, bad) for pair in found)
            for one, found in every.items()
        ]

    shorts = [timing.window(pair.short) for found in every.values() for pair in found]
    return Alert(
        name=FAST,
        expr=_burning(promise, pairs),
        severity="page",
        cls="symptom",
        component="service",
        summary=f"Error budget burns fast: {{{{ $labels.service }}}} {_TITLES[promise.kind]}",
        impact=_impact(promise),
        action=_FIRST_STEPS[promise.kind],
        description=f"{_too_many(promise)} At this pace the budget of {objectives.period_days:g} days is gone within "
        f"{objectives.period_days / min(pair.factor for pair in pairs):.2g} days.",
        value=_VALUE,
        threshold=_thresholds(promise, pairs),
        peak=_peak(promise, pairs, timing),
        board=_BOARD,
        pending=burn_rate.FAST_FOR,
        keep_firing=2 * MINUTE,
        window=max(noticed(burn_rate.GOALS[0].bad)) + base / 2,
        soonest=min(noticed(1)),
        drained=max(shorts) + base,
        hops=2,  # the engines' rates are recorded in the group `engine`
        mutes=(
            Mute(SLOW, (CLUSTER, NAMESPACE, "slo")),
            *(Mute(ticket, (CLUSTER, SERVICE)) for ticket in ENGINE_TICKETS),
        ),
    )


def _slow(promise: Promise, pairs: tuple[Pair, ...], timing: Timing, objectives: Objectives) -> Alert:
    step = max(float(burn_rate.SLOW_STEP), timing.evaluation_interval)
    allowed = max(one.allowed for one in objectives.promises)
    return Alert(
        name=SLOW,
        expr=_burning(promise, pairs),
        severity="ticket",
        cls="symptom",
        component="service",
        summary=f"Error budget burns: {{{{ $labels.service }}}} {_TITLES[promise.kind]}",
        impact=_impact(promise) + " Few do: it can wait a day, but not a month.",
        action=_FIRST_STEPS[promise.kind],
        description=f"{_too_many(promise)} Of the budget of {objectives.period_days:g} days, "
        f"{100 * objectives.threshold(SLOW, burn_rate.SLOW_SHARE):g} % went within "
        f"{' or '.join(duration(pair.long) for pair in pairs)}.",
        value=_VALUE,
        threshold=_thresholds(promise, pairs),
        board=_BOARD,
        pending=burn_rate.SLOW_FOR,
        keep_firing=15 * MINUTE,
        delay=2 * step,
        window=burn_rate.seconds_to_notice(pairs, allowed, burn_rate.GOALS[0].bad),
        drained=max(pair.short for pair in pairs) + burn_rate.BASE_SECONDS,
        hops=2,
    )


def _peak(promise: Promise, pairs: tuple[Pair, ...], timing: Timing) -> str:
    """The worst of the last hour, in the shortest window."""
    ratio, hour = _ratio_name(min(pair.short for pair in pairs)), duration(timing.window(3600))
    query = f'max_over_time({ratio}{{slo="{promise.slo}", cluster=%q, namespace=%q}}[{hour}])'
    found = f"query (printf `{query}` $labels.cluster $labels.namespace)"
    return f"{{{{ with {found} }}}}{{{{ . | first | value | humanizePercentage }}}}{{{{ end }}}}"


_VALUE = "{{ $value | humanizePercentage }} of requests"


def _thresholds(promise: Promise, pairs: tuple[Pair, ...]) -> str:
    return "at most " + ", or ".join(
        f"{100 * pair.threshold(promise.allowed):.4g} % over {duration(pair.long)} and the last {duration(pair.short)}"
        for pair in pairs
    )


def _wrong(promise: Promise) -> str:
    return _WRONG[promise.kind].format(limit=_limit(promise))


def _limit(promise: Promise) -> str:
    return "" if promise.seconds is None else f"{promise.seconds:g} s"


def _too_many(promise: Promise) -> str:
    return f"Too many requests {_wrong(promise)}: {100 * promise.allowed:.4g} % of them may."


def _impact(promise: Promise) -> str:
    model = f" of {promise.model}" if promise.model else ""
    return _IMPACTS[promise.kind].format(limit=_limit(promise), model=model)
