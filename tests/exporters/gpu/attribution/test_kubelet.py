"""Asking a kubelet, over gRPC on a unix socket."""

import sys

import grpc
import pytest

from exporters.gpu.attribution.kubelet import Kubelet, KubeletError, ask
from exporters.gpu.attribution.pod_resources import DeviceHolder

HOLDER = DeviceHolder("chat", "vllm-0", "engine", "GPU-a")


@pytest.fixture
def vllm(response):
    return response(("chat", "vllm-0", {"engine": {"nvidia.com/gpu": ["GPU-a"]}}))


class Clock:
    """Moves when it is told to."""

    now = 0.0

    def __call__(self):
        return self.now


def test_the_kubelet_is_asked_over_its_socket(kubelet, vllm):
    kubelet.answer = vllm
    assert ask(kubelet.socket) == (HOLDER,)


def test_an_error_of_the_kubelet_is_named(kubelet):
    kubelet.code = grpc.StatusCode.UNIMPLEMENTED
    with pytest.raises(KubeletError, match=r"kubelet.sock: UNIMPLEMENTED: the kubelet is unwell"):
        ask(kubelet.socket)


def test_an_answer_that_is_no_list_of_pods_is_refused(kubelet):
    kubelet.answer = b"\x0a\xff"
    with pytest.raises(KubeletError, match="no whole number"):
        ask(kubelet.socket)


def test_without_grpcio_the_error_says_what_to_install(kubelet, monkeypatch):
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(KubeletError, match=r"pip install 'inferwatch\[kubernetes\]'"):
        ask(kubelet.socket)


def test_a_thread_asks_until_it_is_stopped(kubelet, vllm):
    kubelet.answer = vllm
    asker = Kubelet(kubelet.socket, every_seconds=0.01)
    asker.start()
    assert all(kubelet.asked.acquire(timeout=10) for _ in range(3))
    asker.stop()
    assert asker.holders() == (HOLDER,)


def test_where_there_is_no_socket_nobody_is_asked_and_nothing_is_said(tmp_path, caplog):
    asker = Kubelet(tmp_path / "kubelet.sock")
    asker.look()
    assert (asker.holders(), caplog.records) == ((), [])


def test_the_last_answer_counts_through_a_restart_of_the_kubelet_and_not_for_ever(kubelet, vllm, caplog):
    caplog.set_level("INFO", "exporters.gpu")
    clock = Clock()
    asker = Kubelet(kubelet.socket, clock=clock)
    kubelet.answer = vllm
    asker.look()
    kubelet.code = grpc.StatusCode.UNAVAILABLE
    for clock.now in (60, 110):
        asker.look()
        assert asker.holders() == (HOLDER,)
    clock.now = 121
    assert asker.holders() == ()
    kubelet.code = None
    asker.look()
    assert asker.holders() == (HOLDER,)
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        "kubelet answers: GPUs are attributed to pods",
        "kubelet does not answer",
        "kubelet answers: GPUs are attributed to pods",
    ]
