"""The official `openai` client, unchanged, against the real service."""

import openai
import pytest


@pytest.fixture
def client(service):
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0, timeout=20) as client:
        yield client


MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
MODEL = "inferwatch-tiny"


def test_it_lists_the_model(client):
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve("organisation/other")
    assert refused.value.code == "model_not_found"


def test_it_completes_a_chat(client):
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_completion_tokens=8, temperature=0)
    assert answer.choices[0].message.role == "assistant"
    assert len(answer.choices[0].message.content) > 0
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 8


def test_it_streams_a_chat_with_usage_in_the_last_chunk(client):
    asked = {"model": MODEL, "messages": MESSAGES, "max_tokens": 8, "temperature": 0}
    whole = client.chat.completions.create(**asked)
    *chunks, last = client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said == whole.choices[0].message.content
    assert (last.choices, last.usage) == ([], whole.usage)


def test_its_own_helper_for_streams_understands_the_events(client):
    asked = {"model": MODEL, "messages": MESSAGES, "max_tokens": 16, "temperature": 0}
    text = client.chat.completions.create(**asked).choices[0].message.content
    # Stopped, because it takes an answer that was cut by its length for an error.
    with client.chat.completions.stream(**asked, stop=text[6:9]) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].finish_reason == "stop"
    assert final.choices[0].message.content == text[: text.index(text[6:9])]


def test_it_completes_and_streams_a_text(client):
    asked = {"model": MODEL, "prompt": "hello", "max_tokens": 8, "temperature": 0}
    whole = client.completions.create(**asked)
    assert whole.usage.completion_tokens == 8
    assert "".join(chunk.choices[0].text for chunk in client.completions.create(**asked, stream=True)) == (
        whole.choices[0].text
    )


def test_its_request_id_is_the_trace_id(client):
    response = client.models.with_raw_response.list()
    assert response.request_id == response.headers["x-trace-id"]
    assert len(response.request_id) == 32


@pytest.mark.parametrize(
    ("asked", "kind", "code"),
    [
        ({"model": "other"}, openai.NotFoundError, "model_not_found"),
        ({"temperature": 9}, openai.BadRequestError, None),
        ({"max_tokens": 5000}, openai.BadRequestError, "context_length_exceeded"),
        ({"prompt": "x" * 30_000}, openai.APIStatusError, None),
    ],
    ids=["unknown model", "out of range", "too long", "too large"],
)
def test_an_error_is_the_one_that_it_knows(client, asked, kind, code):
    with pytest.raises(kind) as caught:
        client.completions.create(**{"model": MODEL, "prompt": "a"} | asked)
    assert caught.value.code == code
    assert caught.value.type == "invalid_request_error"
    assert caught.value.body["message"]


def test_a_fault_of_the_service_is_its_server_error(client, service):
    with service.fault("error"), pytest.raises(openai.InternalServerError) as caught:
        client.completions.create(model=MODEL, prompt="a")
    assert caught.value.type == "server_error"


def test_a_full_queue_is_its_rate_limit_error_and_it_tries_again_by_itself(client, service):
    service.client.put("/admin/faults/reject", json={"count": 1})
    with pytest.raises(openai.RateLimitError) as caught:
        client.completions.create(model=MODEL, prompt="a", max_tokens=1)
    assert caught.value.response.headers["retry-after"] == "1"
    service.client.put("/admin/faults/reject", json={"count": 1})
    patient = client.with_options(max_retries=1)
    assert patient.completions.create(model=MODEL, prompt="a", max_tokens=1).usage.completion_tokens == 1
