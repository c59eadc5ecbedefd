"""The answer of the kubelet's pod-resources API, as far as devices go.

Reads protobuf's wire format by hand: three levels of one message are not worth a generated module and its runtime.
Source: k8s.io/kubelet/pkg/apis/podresources/v1/api.proto, whose field numbers are fixed for ever.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_POD_RESOURCES = 1  # of ListPodResourcesResponse
_NAME, _NAMESPACE, _CONTAINERS = 1, 2, 3  # of PodResources
_DEVICES = 2  # of ContainerResources, beside its name
_DEVICE_IDS = 2  # of ContainerDevices

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5


class MalformedError(ValueError):
    """The bytes are no such message."""


@dataclass(frozen=True, slots=True)
class DeviceHolder:
    """A container and a device that was given to it."""

    pod_namespace: str
    pod: str
    container: str
    device_id: str


def parse(message: bytes) -> tuple[DeviceHolder, ...]:
    """Every device of every container, in the kubelet's order. Raises MalformedError."""
    return tuple(holder for number, pod in _fields(message) if number == _POD_RESOURCES for holder in _of_pod(pod))


def _of_pod(message: bytes) -> Iterator[DeviceHolder]:
    fields = list(_fields(message))
    name, namespace = _text(fields, _NAME), _text(fields, _NAMESPACE)
    for container in (value for number, value in fields if number == _CONTAINERS):
        inner = list(_fields(container))
        for devices in (value for number, value in inner if number == _DEVICES):
            for number, device in _fields(devices):
                if number == _DEVICE_IDS:
                    yield DeviceHolder(namespace, name, _text(inner, _NAME), device.decode(errors="replace"))


def _text(fields: list[tuple[int, bytes]], wanted: int) -> str:
    return next((value.decode(errors="replace") for number, value in fields if number == wanted), "")


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of every field that has a length; the others are passed over."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 0b111
        if kind == _VARINT:
            _, place = _varint(message, place)
        elif kind in (_FIXED_64, _FIXED_32):
            place += 8 if kind == _FIXED_64 else 4
        elif kind == _BYTES:
            length, place = _varint(message, place)
            yield key >> 3, message[place : place + length]
            place += length
        else:
            raise MalformedError(f"wire type {kind} at byte {place}")
    if place != len(message):
        raise MalformedError("the message ends in the middle of a field")


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise MalformedError(f"no whole number at byte {place}")
