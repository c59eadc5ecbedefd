"""One attempt against real servers."""

import asyncio
from typing import get_args

import pytest

from exporters.catalogue.probe import REASONS
from exporters.probe.asking import Reason, new_client
from exporters.probe.completion import Result, attempt
from exporters.probe.config import Config, Target

TIMEOUT = 1.0


def ask(url: str, *, model: str | None = "tiny", api_key: str | None = None, known: str = "") -> Result:
    target = Target("t", "s", url, model, api_key)

    async def once() -> Result:
        async with new_client() as client:
            return await attempt(client, target, Config((target,), timeout=TIMEOUT), known)

    return asyncio.run(once())


def test_whole_stream_is_a_success_with_both_times(service):
    result = ask(service.url("good"))
    assert result.reason is None
    assert result.model == "tiny"
    assert 0 < result.time_to_first_token <= result.duration < TIMEOUT


def test_request_is_greedy_short_and_streamed(service):
    ask(service.url("good"))
    [(method, path, _, body)] = service.requests
    assert (method, path) == ("POST", "/good/v1/completions")
    assert (body["temperature"], body["max_tokens"], body["stream"]) == (0, 4, True)


def test_slow_first_token_is_seen_in_the_time_to_first_token(service):
    result = ask(service.url("slow_first_token"))
    assert result.reason is None
    assert 0.3 <= result.time_to_first_token < TIMEOUT


@pytest.mark.parametrize(
    ("behaviour", "seconds"),
    [("paced", 0.1), ("paced_and_short", 0.1), ("paced_in_big_pieces", 0.1 / 3)],
    ids=["a piece a token", "fewer tokens than allowed", "four tokens in two pieces"],
)
def test_time_per_output_token_counts_tokens_and_not_pieces(service, behaviour, seconds):
    result = ask(service.url(behaviour))
    assert result.reason is None
    assert 0.9 * seconds < result.time_per_output_token < 2.5 * seconds


def test_text_in_one_piece_has_no_time_per_output_token(service):
    assert ask(service.url("says")).time_per_output_token is None


def test_connecting_is_timed_also_where_no_answer_comes(service):
    result = ask(service.url("hangs"))
    assert 0 < result.connect < TIMEOUT <= result.duration


def test_connection_left_open_after_done_is_not_waited_for(service):
    result = ask(service.url("keeps_open"))
    assert result.reason is None
    assert result.duration < TIMEOUT


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("error_500", "http_status"),
        ("hangs", "timeout"),
        ("stalls", "timeout"),
        ("cut", "bad_stream"),
        ("garbage", "bad_stream"),
        ("error_event", "bad_stream"),
        ("flood", "bad_stream"),
        ("no_text", "no_tokens"),
    ],
)
def test_answer_that_no_user_could_use_names_its_reason(service, behaviour, reason):
    assert ask(service.url(behaviour)).reason == reason


def test_refused_connection_is_reason_connect(refused_url):
    result = ask(refused_url)
    assert (result.reason, result.connect, result.time_to_first_token) == ("connect", None, None)


def test_hang_ends_at_the_timeout(service):
    result = ask(service.url("hangs"))
    assert TIMEOUT <= result.duration < TIMEOUT + 0.5
    assert result.time_to_first_token is None


def test_first_token_of_a_stream_that_breaks_is_still_timed(service):
    result = ask(service.url("cut"))
    assert result.time_to_first_token > 0
    assert result.time_per_output_token is None


def test_answer_comes_with_its_fingerprint_and_stays_out_of_representations(service):
    service.fingerprint = "build-7"
    result = ask(service.url("says"))
    assert (result.text, result.fingerprint) == ("Paris", "build-7")
    assert "Paris" not in repr(result)


def test_model_that_is_not_configured_is_the_first_that_the_server_lists(service):
    service.models = ["first", "second"]
    assert ask(service.url("good"), model=None).model == "first"
    assert service.requests[-1][3]["model"] == "first"


def test_known_model_is_not_looked_up_again(service):
    ask(service.url("good"), model=None, known="tiny")
    assert [request[0] for request in service.requests] == ["POST"]


def test_server_that_lists_no_model_is_a_failure(service):
    service.models = []
    result = ask(service.url("good"), model=None)
    assert (result.reason, result.model) == ("bad_stream", "")


def test_api_key_is_sent_as_bearer_token(service):
    ask(service.url("good"), api_key="secret")
    assert service.requests[0][2]["authorization"] == "Bearer secret"


def test_every_reason_is_the_catalogues():
    assert get_args(Reason) == REASONS
