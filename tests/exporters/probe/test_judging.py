"""Which version an answer is from, and what is asked to find out, over real HTTP."""

import asyncio
import time

import pytest

from exporters.probe.asking import new_client
from exporters.probe.completion import attempt
from exporters.probe.config import Config, Target
from exporters.probe.golden import GoldenAnswers
from exporters.probe.judging import Judge


@pytest.fixture
def verdict(service):
    """Ask the service once and judge its answer; all with the same memory."""
    judge = Judge(GoldenAnswers(None, "prompt", 4))

    def once(behaviour: str = "says", **target: object) -> bool | None:
        asked = Target("t", "s", service.url(behaviour), "tiny", **target)

        async def ask() -> bool | None:
            async with new_client() as client:
                result = await attempt(client, asked, Config((asked,), timeout=2), "")
                return await judge.matches(client, asked, result, time_left=2)

        return asyncio.run(ask())

    return once


def test_answer_is_compared_with_what_came_twice(service, verdict):
    assert [verdict(), verdict()] == [None, True]
    service.says = "London"
    assert verdict() is False


@pytest.mark.parametrize("tells", ["fingerprint", "root"])
def test_new_version_is_learned_anew_and_the_old_one_is_known_when_it_comes_back(service, verdict, tells):
    setattr(service, tells, "v1")
    assert [verdict(), verdict()] == [None, True]
    setattr(service, tells, "v2")
    service.says = "London"
    assert [verdict(), verdict()] == [None, True]
    setattr(service, tells, "v1")
    assert verdict() is False


def test_version_that_came_unnoticed_is_not_learned_from_its_first_wrong_answer(service, verdict):
    service.root = "v1"
    assert [verdict(), verdict()] == [None, True]
    service.root = "v2"  # and it answers the same
    assert [verdict(), verdict()] == [None, True]
    service.says = "London"
    assert [verdict(), verdict()] == [False, False]


def test_time_stamp_in_the_list_of_models_is_no_version(service, verdict):
    assert [verdict(), verdict()] == [None, True]  # its `created` differs in every answer


def test_service_without_a_list_of_models_is_known_by_its_model(service, verdict):
    service.lists = False
    assert [verdict(), verdict()] == [None, True]


def test_list_that_fails_for_once_leaves_the_known_version(service, verdict):
    service.root = "v1"
    assert [verdict(), verdict()] == [None, True]
    service.lists = False
    service.says = "London"
    assert verdict() is False


def test_list_that_hangs_is_not_waited_for(service, verdict):
    began = time.monotonic()
    assert verdict("mute_list") is None
    assert time.monotonic() - began < 1.8


@pytest.mark.parametrize(
    ("fingerprint", "target", "expected"),
    [
        ("v1", {}, [None, True]),
        (None, {"golden": "Par"}, [True, True]),
        (None, {"golden": "London"}, [False, False]),
        (None, {"check_answers": False}, [None, None]),
    ],
    ids=["fingerprint", "pinned", "pinned otherwise", "not checked"],
)
def test_list_of_models_is_asked_for_only_where_it_is_needed(service, verdict, fingerprint, target, expected):
    service.fingerprint = fingerprint
    assert [verdict(**target), verdict(**target)] == expected
    assert [request[0] for request in service.requests] == ["POST", "POST"]


def test_failed_attempt_has_no_verdict_and_is_not_learned(service, verdict):
    assert [verdict("cut"), verdict("cut"), verdict("says"), verdict("cut")] == [None, None, None, None]
