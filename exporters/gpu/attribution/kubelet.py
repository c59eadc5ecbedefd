"""The kubelet's word on which container has which GPU, asked for in a thread of its own.

Needs the extra `kubernetes` (grpcio) and the socket, which a DaemonSet mounts from its host.
"""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from exporters.gpu.attribution.pod_resources import DeviceHolder, MalformedError, parse

LOG = logging.getLogger(__name__)

_METHOD = "/v1.PodResourcesLister/List"
_TIMEOUT_SECONDS = 5.0
_LEAVES_WITHIN_SECONDS = 0.5
_EVERY_SECONDS = 10.0
_KEPT_SECONDS = 120.0
"""A kubelet that restarts must not end every series: its last answer counts for so long."""
_LARGEST_ANSWER_BYTES = 16 * 2**20


class KubeletError(Exception):
    """The kubelet did not answer; the message says why."""


def ask(socket: Path) -> tuple[DeviceHolder, ...]:
    """Who has which device now.

    Raises:
        KubeletError: It cannot be asked, or does not answer in time, or not as it should.
    """
    try:
        # 20 MiB of memory that only nodes of Kubernetes pay.
        import grpc
    except ImportError as error:
        raise KubeletError("grpcio is not installed: pip install 'inferwatch[kubernetes]'") from error
    options = (("grpc.max_receive_message_length", _LARGEST_ANSWER_BYTES), ("grpc.enable_http_proxy", 0))
    with grpc.insecure_channel(f"unix://{socket.absolute()}", options) as channel:
        call = channel.unary_unary(_METHOD, request_serializer=bytes, response_deserializer=bytes)
        try:
            return parse(call(b"", timeout=_TIMEOUT_SECONDS))
        except grpc.RpcError as error:
            raise KubeletError(f"{socket}: {error.code().name}: {error.details()}") from error
        except MalformedError as error:
            raise KubeletError(f"{socket}: {error}") from error


class Kubelet:
    """Asks every ten seconds, as long as there is a socket, and holds the newest answer.

    Args:
        socket: Of the pod-resources API.
        every_seconds: From one question to the next.
        clock: Seconds that never go back.
    """

    def __init__(
        self, socket: Path, every_seconds: float = _EVERY_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._socket = socket
        self._every_seconds = every_seconds
        self._clock = clock
        self._answer: tuple[tuple[DeviceHolder, ...], float] = ((), clock())
        self._trouble: str | None = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubelet", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; a question that takes long is left to itself."""
        self._stopped.set()
        self._thread.join(_LEAVES_WITHIN_SECONDS)

    def holders(self) -> tuple[DeviceHolder, ...]:
        """The newest answer; nothing where it is too old to be believed."""
        holders, answered_at = self._answer
        return holders if self._clock() - answered_at < _KEPT_SECONDS else ()

    def look(self) -> None:
        """Ask once, where there is a socket; one line of log when the kind of answer changes."""
        if not self._socket.exists():
            return
        try:
            self._answer = (ask(self._socket), self._clock())
        except KubeletError as error:
            self._say(str(error))
        else:
            self._say(None)

    def _say(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            if trouble is None:
                LOG.info("kubelet answers: GPUs are attributed to pods")
            else:
                LOG.warning("kubelet does not answer, so that GPUs lose their pods: %s", trouble)
        self._trouble = trouble

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.look()
            self._stopped.wait(self._every_seconds)
