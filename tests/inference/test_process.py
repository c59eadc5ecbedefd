"""The process: how it starts, what it does without faults and telemetry, how it ends."""

import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest


@pytest.fixture(scope="module")
def plain(started):
    """A service without faults and telemetry, with little patience for slow clients and much for its last answers."""
    return started("--otel-sdk-disabled", "--reader-timeout-seconds", "2", "--shutdown-seconds", "30")


def test_without_the_flag_there_is_no_fault_api(plain):
    assert plain.client.get("/admin/faults").status_code == 404
    assert plain.client.put("/admin/faults/hang").status_code == 404
    assert "/admin" not in plain.client.get("/openapi.json").text


def test_without_telemetry_the_service_serves_but_has_no_metrics(plain, asking):
    assert plain.client.get("/metrics").status_code == 404
    assert len(asking.complete(plain.client, "hello", 5)) == 5


def test_a_request_in_pieces_is_answered_and_one_that_never_becomes_whole_gets_408(plain, asking):
    head, body = asking.on_the_wire("hello", 2)
    with socket.create_connection((plain.client.base_url.host, plain.client.base_url.port), timeout=20) as raw:
        raw.sendall(head + body[:10])
        time.sleep(0.2)
        raw.sendall(body[10:])
        assert raw.recv(65536).startswith(b"HTTP/1.1 200 ")
    with socket.create_connection((plain.client.base_url.host, plain.client.base_url.port), timeout=20) as raw:
        raw.sendall(head + body[:10])
        # To the end: what would still come of it would pass for the next request.
        said = b"".join(iter(lambda: raw.recv(65536), b""))
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b'"type":"invalid_request_error"' in said


@pytest.mark.parametrize("before", [b"", b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["first", "second"])
@pytest.mark.parametrize("byte", [b"", b"x"], ids=["silent", "a byte now and then"])
def test_a_connection_on_which_no_request_begins_is_closed(plain, before, byte):
    with socket.create_connection((plain.client.base_url.host, plain.client.base_url.port), timeout=20) as raw:
        raw.sendall(before)
        said = raw.recv(65536) if before else b""
        assert said.startswith(b"HTTP/1.1 200 " if before else b"")
        began = time.monotonic()
        raw.settimeout(0.2)
        while time.monotonic() < began + 20:
            try:
                raw.sendall(byte)
                if not (more := raw.recv(65536)):
                    break
                said += more
            except TimeoutError:
                pass
            except ConnectionError:
                break
        # uvicorn's own patience between two requests on a connection is 5 s.
        assert 1.5 < time.monotonic() - began < 15
    assert (b"HTTP/1.1 408 " in said) == (not before or byte != b"")


def ask_on(raw, asked, times):
    """Ask so often, then now and then, until the other side has had enough."""
    raw.sendall(asked * times)
    while True:
        raw.sendall(asked)
        time.sleep(0.2)


def test_a_connection_that_does_not_read_is_given_up(plain):
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(20)
        raw.connect((plain.client.base_url.host, plain.client.base_url.port))
        # More answers than the kernel keeps for somebody who does not take them.
        size = len(plain.client.get("/openapi.json").content)
        with pytest.raises(ConnectionError):
            ask_on(raw, asked, 20_000_000 // size)
    assert plain.client.get("/ready").status_code == 200


def test_sigterm_lets_running_answers_finish_and_exits_0(plain, asking):
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(plain.client.post, "/v1/completions", json=asking.body("hello", 400, stream=True))
        time.sleep(0.2)
        plain.process.send_signal(signal.SIGTERM)
        assert len(asking.chunks(answer.result().text)) == 400
    assert plain.process.wait(20) == 0


@pytest.fixture(scope="module")
def hub():
    """Where a service would look for models that it does not have."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@pytest.fixture(scope="module")
def directory_service(started, model_directory, hub):
    """A service of a model in a directory."""
    flags = ("--model", str(model_directory("llama")), "--enable-faults", "--shutdown-seconds", "1")
    return started(*flags, HF_ENDPOINT=f"http://127.0.0.1:{hub.getsockname()[1]}")


def test_a_model_in_a_directory_is_served_under_its_name_without_asking_the_hub(directory_service, hub, asking):
    (model,) = directory_service.client.get("/v1/models").json()["data"]
    assert (model["id"], model["max_model_len"], "note" in model) == ("tiny-model", 256, False)
    request = asking.body("the rain", 40, model="tiny-model")
    whole = directory_service.client.post("/v1/completions", json=request).json()["choices"][0]["text"]
    pieces = asking.chunks(directory_service.client.post("/v1/completions", json=request | {"stream": True}).text)
    assert "".join(piece["choices"][0]["text"] for piece in pieces) == whole
    with pytest.raises(BlockingIOError):
        hub.accept()


def test_a_conversation_that_the_models_template_refuses_gets_400(directory_service):
    messages = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "the rain"}]
    answer = directory_service.client.post("/v1/chat/completions", json={"messages": messages, "max_tokens": 2})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "messages"
    accepted = {"messages": messages[1:], "max_tokens": 2}
    assert directory_service.client.post("/v1/chat/completions", json=accepted).status_code == 200


def test_sigterm_ends_a_hung_service_in_time(directory_service, asking):
    directory_service.client.put("/admin/faults/hang")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(directory_service.client.post, "/v1/completions", json=asking.body("hello", 5))
        time.sleep(0.2)
        begun = time.monotonic()
        directory_service.process.send_signal(signal.SIGTERM)
        assert directory_service.process.wait(20) == 0
        assert time.monotonic() - begun < 10
        assert answer.exception() is not None or answer.result().status_code >= 500


def test_a_taken_port_is_an_error_that_names_its_variable():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "inference", "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1
    assert ended.stderr.startswith("cannot listen: Address already in use ")
    assert ended.stderr.endswith("set INFERENCE_HOST and INFERENCE_PORT\n")


def test_a_model_that_cannot_be_loaded_ends_the_process_with_a_message(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    command = [sys.executable, "-m", "inference", "--port", "0", "--model", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "the model could not be loaded: " in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.long
def test_a_reader_of_the_logs_that_stands_still_stops_neither_the_service_nor_its_end(model_cache, asking):
    command = [sys.executable, "-m", "inference", "--port", "0", "--model-cache", str(model_cache)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        url = re.search(r"http://[^\s\"]+", process.stderr.readline())[0]
        with httpx.Client(base_url=url, timeout=20) as client:
            while client.get("/ready").status_code != 200:
                time.sleep(0.1)
            # A line of 240 bytes each; the pipe holds 64 KiB, and from here on nobody reads it.
            assert {client.get("/v1/models").status_code for _ in range(400)} == {200}
            assert len(asking.complete(client, "a", 3)) == 3
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
