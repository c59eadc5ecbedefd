"""The clock of the attempts, and what is counted."""

import asyncio
import time

import pytest

from exporters.probe.completion import Result
from exporters.probe.config import Config, Target
from exporters.probe.golden import GoldenAnswers
from exporters.probe.judging import Judge
from exporters.probe.loop import Prober, Tally, next_turn


def result(reason=None, model="tiny", ended_at=100.0):
    return Result(model, reason, 0.5, None if reason else 0.1, ended_at)


def judge():
    return Judge(GoldenAnswers(None, "prompt", 4))


def run_for(seconds, prober):
    async def bounded():
        try:
            async with asyncio.timeout(seconds):
                await prober.run()
        except TimeoutError:
            return

    asyncio.run(bounded())


def run_until(holds, prober):
    async def bounded():
        running = asyncio.create_task(prober.run())
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(bounded())


@pytest.mark.parametrize(
    ("now", "expected"),
    [(10.0, 15.0), (10.1, 15.0), (14.9, 15.0), (15.0, 15.0), (31.0, 35.0)],
    ids=["at once", "just after", "just in time", "on the next", "late ones are skipped"],
)
def test_next_turn_stays_on_the_clock(now, expected):
    assert next_turn(last=10.0, interval=5.0, now=now) == expected


def test_tally_counts_attempts_and_failures_by_reason():
    tally = Tally("").after(result("timeout")).after(result("timeout")).after(result(ended_at=200.0))
    assert (tally.attempts, tally.last_success, tally.model) == (3, 200.0, "tiny")
    assert tally.failures == {"connect": 0, "timeout": 2, "http_status": 0, "bad_stream": 0, "no_tokens": 0}


def test_failure_keeps_the_last_success():
    tally = Tally("").after(result(ended_at=200.0)).after(result("connect", model="", ended_at=300.0))
    assert (tally.last_success, tally.model) == (200.0, "tiny")


def test_tally_counts_mismatches_and_knows_only_the_last_verdict():
    tally = (
        Tally("").after(result(), answer_matches=False).after(result(), answer_matches=False).after(result("timeout"))
    )
    assert (tally.mismatches, tally.answer_matches) == (2, None)


def test_hanging_target_does_not_delay_another(service):
    hanging = Target("hanging", "s", service.url("hangs"), "tiny")
    good = Target("good", "s", service.url("good"), "tiny")
    prober = Prober(Config((hanging, good), interval=1, timeout=0.9), judge())
    began = time.monotonic()
    run_until(lambda: prober.tallies[hanging].attempts == 2, prober)  # 1.9 s or later
    elapsed = time.monotonic() - began
    assert prober.tallies[hanging].failures["timeout"] == 2
    assert 2 <= prober.tallies[good].attempts <= elapsed + 0.5  # at 0.5 s, 1.5 s and so on
    assert prober.tallies[good].failures["timeout"] == 0


def test_attempts_of_one_target_never_overlap(service):
    hanging = Target("hanging", "s", service.url("hangs"), "tiny")
    prober = Prober(
        Config((hanging,), interval=0.2, timeout=0.5), judge()
    )  # the file refuses this; a slow machine may not
    run_for(1.3, prober)
    assert 1 <= prober.tallies[hanging].attempts <= 2  # 0 to 0.5, 0.6 to 1.1; overlapping ones would be four


def test_model_is_looked_up_again_after_a_redeploy(service):
    target = Target("t", "s", service.url("good"))
    prober = Prober(Config((target,), interval=0.2, timeout=10), judge())
    run_until(lambda: prober.tallies[target].model == "tiny", prober)
    service.models = ["newer"]
    run_until(lambda: prober.tallies[target].model == "newer", prober)
    assert prober.tallies[target].last.reason is None


def test_unchanged_target_keeps_its_counts_when_the_configuration_changes(service):
    kept = Target("kept", "s", service.url("good"), "tiny")
    gone = Target("gone", "s", service.url("good"), "tiny")
    added = Target("added", "s", service.url("good"), "tiny")
    prober = Prober(Config((kept, gone), interval=60, timeout=50), judge())
    run_until(lambda: prober.tallies[kept].attempts, prober)
    prober.adopt(Config((kept, added)), judge())
    assert {target.name: tally.attempts for target, tally in prober.tallies.items()} == {"kept": 1, "added": 0}


def test_target_whose_attempts_stopped_is_late_after_three_intervals():
    target = Target("t", "s", "http://127.0.0.1:1", "tiny")
    prober = Prober(Config((target,), interval=0.2, timeout=0.19), judge())
    assert prober.late() == ()
    time.sleep(0.7)
    assert prober.late() == ("t",)
