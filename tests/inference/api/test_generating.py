"""The real service over HTTP: what it answers, and what it refuses."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from exporters.catalogue import llm

PROMPTS = [f"prompt {index} " + "x" * 9 * index for index in range(8)]


def test_a_completion_answers_in_openais_shape(service, asking):
    answer = service.client.post("/v1/completions", json=asking.body("hello", 5)).json()
    assert answer["object"] == "text_completion"
    assert answer["model"] == "inferwatch-tiny"
    assert answer["id"].startswith("cmpl-")
    assert len(answer["choices"][0]["text"]) == 5
    assert answer["choices"][0]["finish_reason"] == "length"
    # One start token and one per byte.
    assert answer["usage"] == {"prompt_tokens": 6, "completion_tokens": 5, "total_tokens": 11}


def test_a_chat_answers_in_openais_shape(service):
    request = {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}], "max_completion_tokens": 3}
    answer = service.client.post("/v1/chat/completions", json=request).json()
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["role"] == "assistant"
    # Start token, "user: hi\n", "assistant: ".
    assert answer["usage"] == {"prompt_tokens": 21, "completion_tokens": 3, "total_tokens": 24}


def test_a_streamed_completion_equals_the_whole_one(service, asking):
    whole = service.client.post("/v1/completions", json=asking.body("hello", 20)).json()
    options = {"stream": True, "stream_options": {"include_usage": True}}
    response = service.client.post("/v1/completions", json=asking.body("hello", 20, **options))
    assert response.headers["content-type"].startswith("text/event-stream")
    *pieces, usage = asking.chunks(response.text)
    assert "".join(piece["choices"][0]["text"] for piece in pieces) == whole["choices"][0]["text"]
    assert [piece["choices"][0]["finish_reason"] for piece in pieces] == [None] * 19 + ["length"]
    assert usage["choices"] == []
    assert usage["usage"] == whole["usage"]


def test_a_streamed_chat_equals_the_whole_one(service, asking):
    request = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 12, "temperature": 0}
    whole = service.client.post("/v1/chat/completions", json=request).json()
    pieces = asking.chunks(service.client.post("/v1/chat/completions", json=request | {"stream": True}).text)
    deltas = [piece["choices"][0]["delta"] for piece in pieces]
    assert deltas[0]["role"] == "assistant"
    assert not any("role" in delta for delta in deltas[1:])
    assert "".join(delta.get("content", "") for delta in deltas) == whole["choices"][0]["message"]["content"]
    assert {piece["object"] for piece in pieces} == {"chat.completion.chunk"}


def test_greedy_answers_do_not_depend_on_what_else_is_in_the_batch(service, asking):
    # Of different lengths, so that some leave from the middle of the batch and others move into their slots.
    lengths = (40, 8, 90, 24, 64, 16, 80, 56)
    alone = [asking.complete(service.client, *request) for request in zip(PROMPTS, lengths, strict=True)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda *request: asking.complete(service.client, *request), PROMPTS, lengths))
    assert together == alone
    assert len(set(alone)) == 8


def test_a_request_joins_and_leaves_a_batch_that_is_decoding(service, asking):
    short, long = asking.complete(service.client, "short", 10), asking.complete(service.client, "long", 300)
    with ThreadPoolExecutor(1) as pool:
        decoding = pool.submit(asking.complete, service.client, "long", 300)
        service.until(lambda: service.sample(llm.RUNNING) == 1)
        assert asking.complete(service.client, "short", 10) == short
        assert not decoding.done()
        assert decoding.result() == long


def test_a_seed_repeats_a_sampled_answer(service, asking):
    sampled = {"temperature": 1.5, "top_p": 0.95}
    first = asking.complete(service.client, "once", 32, seed=7, **sampled)
    assert asking.complete(service.client, "once", 32, seed=7, **sampled) == first
    assert asking.complete(service.client, "once", 32, seed=8, **sampled) != first


def test_an_answer_ends_before_its_stop_string(service, asking):
    text = asking.complete(service.client, "hello", 16)
    stop = text[6:9]
    options = {"stop": ["never seen", stop]}
    whole = service.client.post("/v1/completions", json=asking.body("hello", 16, **options)).json()
    assert whole["choices"][0]["text"] == text[: text.index(stop)]
    assert whole["choices"][0]["finish_reason"] == "stop"
    streamed = service.client.post("/v1/completions", json=asking.body("hello", 16, stream=True, **options)).text
    said = "".join(piece["choices"][0]["text"] for piece in asking.chunks(streamed))
    assert said == text[: text.index(stop)]


def test_token_ids_are_a_prompt_too(service, asking):
    ids = [256, *b"hello"]
    assert asking.complete(service.client, ids) == asking.complete(service.client, "hello")


def test_a_client_that_leaves_a_stream_frees_its_slot_and_is_counted(service, asking):
    tokens = service.sample(llm.GENERATED_TOKENS)
    before = service.sample(llm.REQUEST_ERRORS, model="inferwatch-tiny", error_type="client_disconnect")
    with (
        httpx.Client(base_url=service.url) as client,
        client.stream("POST", "/v1/completions", json=asking.body("slow", 1000, stream=True)) as response,
    ):
        # Held: an iterator that nobody refers to any more closes the connection.
        pieces = response.iter_bytes()
        next(pieces)
        assert service.sample(llm.RUNNING) == 1
    service.until(service.idle)
    # Of the thousand that it asked for.
    assert service.sample(llm.GENERATED_TOKENS) < tokens + 500
    assert service.sample(llm.REQUEST_ERRORS, model="inferwatch-tiny", error_type="client_disconnect") == before + 1


def test_a_client_that_leaves_a_whole_answer_frees_its_slot_and_is_counted(service, asking):
    tokens = service.sample(llm.GENERATED_TOKENS)
    before = service.sample(llm.REQUEST_ERRORS, model="inferwatch-tiny", error_type="client_disconnect")
    with httpx.Client(base_url=service.url, timeout=0.1) as client, pytest.raises(httpx.ReadTimeout):
        client.post("/v1/completions", json=asking.body("slow", 1000))
    service.until(service.idle)
    # Of the thousand that it asked for.
    assert service.sample(llm.GENERATED_TOKENS) < tokens + 500
    assert service.sample(llm.REQUEST_ERRORS, model="inferwatch-tiny", error_type="client_disconnect") == before + 1


def sent_in_two(service, asking, between):
    """The begin of an answer to a request of which half is sent, then something happens, then the rest is sent."""
    head, body = asking.on_the_wire("hello", 2)
    with socket.create_connection((service.client.base_url.host, service.client.base_url.port), timeout=20) as raw:
        raw.sendall(head + body[:10])
        between(raw)
        raw.sendall(body[10:])
        return raw.recv(65536)


def test_a_client_that_leaves_while_it_sends_is_no_invalid_request(service, asking):
    def counted():
        left = service.sample(llm.REQUEST_ERRORS, model="other", error_type="client_disconnect")
        return left, service.sample(llm.REJECTIONS, model="other", reason="invalid_request")

    def leave(raw):
        raw.shutdown(socket.SHUT_RDWR)

    left, refused = counted()
    with pytest.raises(OSError, match="Broken pipe"):
        sent_in_two(service, asking, leave)
    service.until(lambda: counted() == (left + 1, refused))


def test_the_time_that_a_client_takes_to_send_is_not_the_services(service, asking):
    def summed(metric):
        lines = service.client.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{metric}_sum{{"))

    before = summed(llm.QUEUE_TIME), summed(llm.TIME_TO_FIRST_TOKEN)
    assert sent_in_two(service, asking, lambda _: time.sleep(3)).startswith(b"HTTP/1.1 200 ")
    assert summed(llm.QUEUE_TIME) - before[0] < 3
    assert summed(llm.TIME_TO_FIRST_TOKEN) - before[1] < 3


@pytest.mark.parametrize(
    ("request_body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [999]}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": "a", "max_tokens": 0}, "max_tokens"),
        ({"prompt": "a", "temperature": -1}, "temperature"),
        ({"prompt": "a", "top_p": 0}, "top_p"),
        ({"prompt": "a", "stop": [""]}, "stop"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": "a", "max_tokens": True}, "max_tokens"),
        ({"prompt": "a", "max_tokens": "3"}, "max_tokens"),
        ({"prompt": "a", "temperature": "hot"}, "temperature"),
        ({"prompt": "a", "temperature": True}, "temperature"),
        ({"prompt": "a", "seed": 1.5}, "seed"),
        ({"prompt": "a", "stream": 1}, "stream"),
        ({"prompt": "a", "stream": True, "stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": "a", "n": True}, "n"),
        ({"prompt": "a", "n": 2}, "n"),
        ({"prompt": "a", "logprobs": 1}, "logprobs"),
        ({"prompt": "a", "stream_options": {"include_usage": True}}, "stream_options"),
        ({"prompt": "a", "stream": True, "stream_options": "usage"}, "stream_options"),
    ],
    ids=str,
)
def test_an_invalid_request_gets_400_in_openais_shape(service, request_body, param):
    response = service.client.post("/v1/completions", json=request_body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert error["param"] == param


@pytest.mark.parametrize(
    ("different", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.content.type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.content.text"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
    ],
    ids=str,
)
def test_a_chat_that_is_not_understood_gets_400_with_the_name_of_the_field(service, different, param):
    chat = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}
    response = service.client.post("/v1/chat/completions", json=chat | different)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_half_of_a_surrogate_pair_gets_400_with_the_name_of_the_field(service):
    half = b'{"prompt": "\\ud800"}'
    response = service.client.post("/v1/completions", content=half, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "prompt"


def test_broken_json_gets_400_in_openais_shape(service):
    response = service.client.post("/v1/completions", content=b'{"prompt": ', headers={"Content-Type": "text/json"})
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_a_forgotten_content_type_is_named(service):
    response = service.client.post("/v1/completions", content=b'{"prompt": "a"}')
    assert response.status_code == 400
    assert response.json()["error"]["message"].endswith("sent with Content-Type: application/json")


def test_answers_on_a_kept_connection_do_not_wait_for_acknowledgements(service, asking):
    def seconds(client: httpx.Client) -> float:
        started = time.monotonic()
        asking.complete(client, "a", 1)
        return time.monotonic() - started

    def on_a_new_one() -> float:
        with httpx.Client(base_url=service.url) as client:
            return seconds(client)

    # The best of many, for a busy machine. The kernel delays acknowledgements by 40 ms, but not on a new connection.
    assert min(seconds(service.client) for _ in range(20)) < min(on_a_new_one() for _ in range(20)) + 0.025


def test_a_prompt_that_cannot_fit_gets_400_and_its_own_error_type(service, asking):
    before = service.sample(llm.REQUEST_ERRORS, error_type="context_length_exceeded")
    response = service.client.post("/v1/completions", json=asking.body("x" * 1000, 24))
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"
    assert service.sample(llm.REQUEST_ERRORS, error_type="context_length_exceeded") == before + 1
    # One less fits exactly.
    assert len(asking.complete(service.client, "x" * 1000, 23)) == 23


def test_an_unknown_model_gets_404_and_no_metric_of_its_own(service, asking):
    before = service.sample(llm.REJECTIONS, model="other", reason="unknown_model")
    response = service.client.post("/v1/completions", json=asking.body("a", model="somebody/else"))
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
    assert service.sample(llm.REJECTIONS, model="other", reason="unknown_model") == before + 1
    assert "somebody" not in service.client.get("/metrics").text


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_a_body_that_is_too_large_gets_413(service, chunked):
    content = b'{"prompt": "' + b"x" * 30000 + b'"}'
    response = service.client.post(
        "/v1/completions",
        content=iter([content]) if chunked else content,
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 413
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_a_full_queue_gets_429_with_retry_after(service, asking):
    before = service.sample(llm.REQUEST_ERRORS, error_type="queue_full")
    with ThreadPoolExecutor(10) as pool, service.fault("hang"):
        # Eight slots and a queue of two.
        waiting = [pool.submit(asking.complete, service.client, "a", 4) for _ in range(10)]
        service.until(lambda: service.sample(llm.WAITING) == 10)
        response = service.client.post("/v1/completions", json=asking.body("a", 4))
    assert [len(answer.result()) for answer in waiting] == [4] * 10
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert response.json()["error"]["code"] == "queue_full"
    assert service.sample(llm.REQUEST_ERRORS, error_type="queue_full") == before + 1


def test_every_answer_the_list_and_the_metrics_name_the_same_version_of_the_model(service, asking):
    (model,) = service.client.get("/v1/models").json()["data"]
    version = model["system_fingerprint"]
    chat = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 3}
    streamed = service.client.post("/v1/completions", json=asking.body("hello", 3, stream=True))
    answers = [
        service.client.post("/v1/completions", json=asking.body("hello", 3)).json(),
        service.client.post("/v1/chat/completions", json=chat).json(),
        *asking.chunks(streamed.text),
    ]
    assert [answer["system_fingerprint"] for answer in answers] == [version] * 5
    assert service.sample(llm.BUILD_INFO, fingerprint=version) == 1


def test_the_model_list_says_that_the_text_is_noise(service):
    (model,) = service.client.get("/v1/models").json()["data"]
    assert model["id"] == "inferwatch-tiny"
    assert model["max_model_len"] == 1024
    assert model["note"] == "random weights from a fixed seed: the text is noise"


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/models/nothing", "/v1/completions/"])
def test_an_unknown_path_answers_in_openais_shape(service, path):
    response = service.client.get(path)
    assert response.status_code == 404
    assert response.json()["error"]["type"] == "invalid_request_error"
