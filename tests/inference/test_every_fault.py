"""Every fault of the contract, seen from outside: what a client, an operator or a supervisor would notice."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from exporters.catalogue import llm
from inference.faults import FAULTS


def ask(service, asking, **different) -> httpx.Response:
    return service.client.post("/v1/completions", json=asking.body("hello", 4, **different))


def test_slow_steps_make_every_token_late(service, asking):
    with service.fault("slow_steps"):
        began = time.monotonic()
        asking.complete(service.client, "hello", 4)
        assert 0.75 < time.monotonic() - began < 8


def test_slow_steps_of_a_count_end_by_themselves(service, asking):
    with service.fault("slow_steps", count=2):
        asking.complete(service.client, "hello", 6)
        assert service.client.get("/admin/faults").json() == []


def test_oom_fails_requests_one_by_one_and_leaves_the_engine_alive(service, asking):
    before = service.sample(llm.REQUEST_ERRORS, error_type="oom")
    with service.fault("oom", count=1):
        failed, good = ask(service, asking), ask(service, asking)
    assert (failed.status_code, good.status_code) == (500, 200)
    assert failed.json()["error"]["message"] == "not enough memory for this request"
    assert service.sample(llm.REQUEST_ERRORS, error_type="oom") == before + 1
    assert service.client.get("/ready").status_code == 200


def test_reject_answers_as_a_full_queue_does(service, asking):
    with service.fault("reject"):
        refused = ask(service, asking)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["error"]["code"] == "queue_full"


def test_a_queue_stall_holds_newcomers_while_the_running_answer_goes_on(service, asking):
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(asking.complete, service.client, "hello", 300)
        service.until(lambda: service.sample(llm.RUNNING) == 1)
        with service.fault("queue_stall"):
            waiting = pool.submit(asking.complete, service.client, "a", 2)
            assert len(running.result()) == 300
            service.until(lambda: service.sample(llm.WAITING) == 1)
            steps = service.sample(llm.ENGINE_STEPS)
            time.sleep(0.3)
            assert not waiting.done()
            assert service.sample(llm.ENGINE_STEPS) > steps
        assert len(waiting.result()) == 2


def test_a_small_cache_preempts_the_newest_and_everybody_still_gets_a_whole_answer(service, asking):
    before = service.sample(llm.PREEMPTIONS)
    with service.fault("small_cache"), ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(asking.complete, service.client, "hello", 48) for _ in range(4)]
        service.until(lambda: service.sample(llm.KV_CACHE_CAPACITY) == 96)
        assert all(len(answer.result()) == 48 for answer in answers)
    assert service.sample(llm.PREEMPTIONS) > before
    service.until(lambda: service.sample(llm.KV_CACHE_CAPACITY) > 96)
    preempted = service.sample(llm.PREEMPTIONS)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: asking.complete(service.client, "hello", 48), range(4)))
    assert service.sample(llm.PREEMPTIONS) == preempted


def test_a_cut_stream_ends_in_the_middle_and_counts_as_an_error(service, asking):
    before = service.sample(llm.REQUEST_ERRORS, error_type="internal_error")
    with service.fault("stream_cut", count=1), pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
        ask(service, asking, stream=True)
    service.until(lambda: service.sample(llm.REQUEST_ERRORS, error_type="internal_error") == before + 1)
    assert len(asking.chunks(ask(service, asking, stream=True).text)) > 1


def test_without_its_model_the_service_says_so_everywhere_and_comes_back(service, asking):
    with service.fault("model_not_loaded"):
        service.until(lambda: service.client.get("/ready").status_code == 503)
        assert service.client.get("/ready").json()["reason"] == "the model is being loaded"
        assert service.client.get("/health").status_code == 200
        assert service.sample(llm.MODEL_LOADED) == 0
        assert ask(service, asking).status_code == 503
    service.until(lambda: service.client.get("/ready").status_code == 200)
    assert ask(service, asking).status_code == 200


def test_the_wrong_model_is_listed_and_the_right_one_not_found(service, asking):
    with service.fault("wrong_model"):
        assert service.client.get("/v1/models").json()["data"][0]["id"] == "wrong-model"
        assert ask(service, asking, model="inferwatch-tiny").status_code == 404
    assert ask(service, asking, model="inferwatch-tiny").status_code == 200


def test_wrong_answers_differ_from_the_right_ones_and_look_well(service, asking):
    right = asking.complete(service.client, "hello", 16)
    with service.fault("wrong_answers"):
        wrong = asking.complete(service.client, "hello", 16)
    assert len(wrong) == 16
    assert wrong != right
    assert asking.complete(service.client, "hello", 16) == right


def test_a_memory_leak_grows_while_it_is_on_and_is_freed(service):
    def resident() -> int:
        status = Path(f"/proc/{service.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) // 1024

    before = resident()
    with service.fault("memory_leak"):
        service.until(lambda: resident() > before + 24, seconds=8)
    service.until(lambda: resident() < before + 16, seconds=3)


@pytest.fixture(scope="module")
def own(started):
    """A service that may die."""
    return started("--enable-faults", INFERENCE_FAULT_ERROR='{"count": 1}')


def test_a_fault_in_the_environment_is_on_from_the_start(own, asking):
    assert [ask(own, asking).status_code for _ in range(2)] == [500, 200]


def test_a_crash_loop_kills_the_engine_which_starts_again(own, asking):
    with own.fault("crash_loop", count=1):
        own.until(lambda: own.client.get("/health").status_code == 503, seconds=4)
        assert own.client.get("/health").json()["reason"] == "the engine died; it starts again in 1 s"
        assert own.client.get("/ready").status_code == 503
        refused = ask(own, asking)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "engine_unavailable")
    own.until(lambda: own.client.get("/ready").status_code == 200)
    assert ask(own, asking).status_code == 200


def test_a_crash_kills_the_process(own):
    assert own.client.put("/admin/faults/crash").status_code == 204
    assert own.process.wait(5) == -signal.SIGKILL


@pytest.mark.long
def test_a_crash_loop_without_end_ends_the_process_with_code_1(started):
    looping = started("--enable-faults", INFERENCE_FAULT_CRASH_LOOP="{}")
    assert looping.process.wait(90) == 1


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("INFERENCE_FAULT_ERROR", "often", "INFERENCE_FAULT_ERROR: "),
        ("INFERENCE_FAULT_ERROR", '{"ratio": 2}', "ratio must be above 0 and at most 1"),
        ("INFERENCE_FAULT_HANG", '{"count": 1}', "hang does not take count; it takes seconds"),
        ("INFERENCE_FAULT_FIRE", "{}", "no such fault; there are hang, slow_steps, "),
    ],
)
def test_a_wrong_fault_in_the_environment_is_a_usage_error(variable, value, message):
    environment = os.environ | {"INFERENCE_FAULTS": "1", variable: value}
    command = [sys.executable, "-m", "inference", "--port", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.name)
def test_every_fault_takes_an_empty_body_seconds_and_refuses_what_means_nothing_to_it(shared_faults, kind):
    assert shared_faults(kind.name, {"seconds": -1}) == 400
    assert "seconds" in kind.takes
    for foreign in {"ratio", "count"} - kind.takes:
        assert shared_faults(kind.name, {foreign: 1}) == 400


@pytest.fixture
def shared_faults(service):
    def put(name: str, body: dict[str, float]) -> int:
        return service.client.put(f"/admin/faults/{name}", content=json.dumps(body), headers=_JSON).status_code

    return put


_JSON = {"Content-Type": "application/json"}
