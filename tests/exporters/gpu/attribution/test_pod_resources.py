"""Reading the kubelet's answer, which protobuf itself encoded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.gpu.attribution.pod_resources import DeviceHolder, MalformedError, parse


def test_every_device_of_every_container_is_found_with_its_holder(response):
    message = response(
        ("chat", "vllm-0", {"engine": {"nvidia.com/gpu": ["GPU-a", "GPU-b"]}, "proxy": {}}),
        ("kube-system", "dns", {"dns": {}}),
        ("batch", "train-1", {"main": {"rdma/hca": ["mlx5_0"], "nvidia.com/mig-1g.18gb": ["MIG-c"]}}),
    )
    assert parse(message) == (
        DeviceHolder("chat", "vllm-0", "engine", "GPU-a"),
        DeviceHolder("chat", "vllm-0", "engine", "GPU-b"),
        DeviceHolder("batch", "train-1", "main", "mlx5_0"),
        DeviceHolder("batch", "train-1", "main", "MIG-c"),
    )


def test_a_node_without_pods_has_no_holders():
    assert parse(b"") == ()


@pytest.mark.parametrize(
    "message", [b"\x0a", b"\x0a\x05ab", b"\xff" * 11, b"\x0b", b"\x0f", b"\x09\x01"], ids=lambda message: message.hex()
)
def test_bytes_that_are_no_such_message_are_refused(message):
    with pytest.raises(MalformedError):
        parse(message)


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(message):
    try:
        found = parse(message)
    except MalformedError:
        return
    assert all(isinstance(one, DeviceHolder) for one in found)


def test_a_field_that_a_newer_kubelet_adds_is_passed_over(response):
    newer = b"\x92\x03\x03abc" + b"\x98\x03\x07" + b"\xa1\x03" + bytes(8) + b"\xad\x03" + bytes(4)
    assert parse(newer + response(("a", "b", {"c": {"d": ["GPU-e"]}})) + newer) == (
        DeviceHolder("a", "b", "c", "GPU-e"),
    )
