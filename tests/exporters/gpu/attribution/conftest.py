"""The kubelet's pod-resources API, encoded by protobuf itself and served by gRPC on a unix socket."""

import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_SCALARS = {"string": 9, "int64": 3, "bool": 8}
_API = {
    "ListPodResourcesResponse": {"pod_resources": (1, "PodResources")},
    "PodResources": {"name": (1, "string"), "namespace": (2, "string"), "containers": (3, "ContainerResources")},
    "ContainerResources": {"name": (1, "string"), "devices": (2, "ContainerDevices"), "cpu_ids": (3, "int64")},
    "ContainerDevices": {"resource_name": (1, "string"), "device_ids": (2, "string"), "topology": (3, "Topology")},
    "Topology": {"nodes": (1, "Node")},
    "Node": {"ID": (1, "int64")},
}
"""As in k8s.io/kubelet/pkg/apis/podresources/v1/api.proto: field numbers and types."""
_REPEATED = {"pod_resources", "containers", "devices", "cpu_ids", "device_ids", "nodes"}


def _classes():
    file = descriptor_pb2.FileDescriptorProto(name="podresources.proto", package="v1", syntax="proto3")
    for name, fields in _API.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            added = message.field.add(name=field, number=number, label=3 if field in _REPEATED else 1)
            added.type = _SCALARS.get(kind, 11)
            if kind not in _SCALARS:
                added.type_name = f".v1.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("v1.ListPodResourcesResponse"))


Response = _classes()


def encoded(*pods):
    """Bytes of an answer: pods as (namespace, name, {container: {resource: [device ids]}})."""
    found = Response()
    for namespace, name, containers in pods:
        pod = found.pod_resources.add(namespace=namespace, name=name)
        for container, resources in containers.items():
            held = pod.containers.add(name=container, cpu_ids=[1, 2, 3])
            for resource, ids in resources.items():
                devices = held.devices.add(resource_name=resource, device_ids=ids)
                devices.topology.nodes.add(ID=1)
    return found.SerializeToString()


class StandIn:
    """Answers every List with the same bytes, or with an error."""

    def __init__(self, socket):
        self.socket = socket
        self.answer = b""
        self.code = None
        self.asked = threading.Semaphore(0)
        self._server = grpc.server(ThreadPoolExecutor(2))
        handler = grpc.unary_unary_rpc_method_handler(self._list)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("v1.PodResourcesLister", {"List": handler}),)
        )
        self._server.add_insecure_port(f"unix://{socket}")
        self._server.start()

    def _list(self, request, context):
        self.asked.release()
        if self.code is not None:
            context.abort(self.code, "the kubelet is unwell")
        return self.answer

    def stop(self):
        self._server.stop(None).wait()


@pytest.fixture
def response():
    """Makes the bytes of an answer."""
    return encoded


@pytest.fixture
def kubelet():
    # tmp_path is too long for the address of a unix socket.
    folder = Path(tempfile.mkdtemp(prefix="kubelet-"))
    server = StandIn(folder / "kubelet.sock")
    yield server
    server.stop()
    shutil.rmtree(folder)
