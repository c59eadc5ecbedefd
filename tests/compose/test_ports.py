"""A port can be moved by its variable, and a taken one says who holds it."""

import os
import socket

import pytest

from compose import ports


def test_without_settings_every_part_has_its_documented_port():
    assert ports.chosen({}, {}) == {
        "inference": 8000,
        "gpu-exporter": 9836,
        "probe": 9837,
        "deadman": 9838,
        "inbox": 8025,
        "inbox-smtp": 1025,
        "prometheus": 9090,
        "alertmanager": 9093,
        "node-exporter": 9100,
    }


def test_the_environment_wins_over_what_is_remembered():
    chosen = ports.chosen({"PROMETHEUS_PORT": "19090"}, {"prometheus": 29090, "inbox": 28025})
    assert chosen["prometheus"] == 19090
    assert chosen["inbox"] == 28025


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "9090.0", "9 090"])
def test_what_is_no_port_number_is_refused_by_name(text):
    with pytest.raises(ValueError, match=r"PROBE_PORT must be a port number from 1 to 65535"):
        ports.chosen({"PROBE_PORT": text}, {})


def test_two_parts_on_one_port_are_refused_with_both_names():
    with pytest.raises(ValueError, match=r"INFERENCE_PORT and PROMETHEUS_PORT are both 8000"):
        ports.chosen({"PROMETHEUS_PORT": "8000"}, {})


def test_a_taken_port_names_its_variable_and_its_holder():
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        lines = ports.taken({"prometheus": number})
    assert len(lines) == 1
    assert lines[0].startswith(f"port {number} is taken by ")
    assert f"(pid {os.getpid()})" in lines[0]
    assert lines[0].endswith("; set PROMETHEUS_PORT to a free port")


def test_a_free_port_is_not_taken(free_port):
    assert ports.taken({"prometheus": free_port()}) == []


def test_the_next_free_ports_leave_out_those_that_are_taken(free_port):
    first = free_port()
    expected = [number for number in range(first + 1, first + 20) if ports.taken({"inference": number}) == []][:3]
    with socket.create_server(("127.0.0.1", expected[0])):
        assert ports.next_free(first, 2) == tuple(expected[1:])


def test_more_ports_than_there_are_is_an_error():
    with pytest.raises(OSError, match="no 2 free ports above 65534"):
        ports.next_free(65534, 2)
