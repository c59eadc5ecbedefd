"""Replicas are found by Docker's names, and one that died is still a target."""

import pytest

from compose.discovery import REMEMBERED_SECONDS, Replicas
from compose.inside import DISCOVERED


class Names:
    """Docker's DNS: the running containers by service."""

    def __init__(self, **running: list[str]) -> None:
        self.running = running
        self.now = 0.0

    def __call__(self, service: str) -> list[str]:
        return self.running.get(service.replace("-", "_"), [])


@pytest.fixture
def names() -> Names:
    return Names(inference=["inferwatch-inference-1", "inferwatch-inference-2"])


@pytest.fixture
def replicas(names: Names) -> Replicas:
    return Replicas("node-3", names, lambda: names.now)


def targets(replicas: Replicas) -> list[dict]:
    for kind in DISCOVERED:
        replicas.look(kind)
    return replicas.targets()


def addresses(replicas: Replicas) -> list[str]:
    return [address for target in targets(replicas) for address in target["targets"]]


def test_each_replica_is_a_target_by_its_own_name_with_the_labels_of_an_engine(replicas: Replicas) -> None:
    first, second = targets(replicas)
    assert first == {
        "targets": ["inferwatch-inference-1:8000"],
        "labels": {
            "job": "inference",
            "service": "inference",
            "engine": "inferwatch",
            "host": "node-3",
            "instance": "inference-1:8000",
        },
    }
    assert second["labels"]["instance"] == "inference-2:8000"


def test_a_replica_that_died_stays_a_target_so_that_it_is_seen_to_be_down(replicas: Replicas, names: Names) -> None:
    targets(replicas)
    names.running["inference"] = ["inferwatch-inference-2"]
    names.now = REMEMBERED_SECONDS - 1
    assert addresses(replicas) == ["inferwatch-inference-1:8000", "inferwatch-inference-2:8000"]


def test_one_that_is_gone_for_long_was_taken_away(replicas: Replicas, names: Names) -> None:
    targets(replicas)
    names.running["inference"] = ["inferwatch-inference-2"]
    names.now = REMEMBERED_SECONDS
    assert addresses(replicas) == ["inferwatch-inference-2:8000"]


def test_another_engine_that_answers_to_the_same_name_is_counted_once_as_what_it_is(names: Names) -> None:
    names.running = {"inference": ["inferwatch-vllm-1"], "vllm": ["inferwatch-vllm-1"]}
    (target,) = targets(Replicas("node-3", names, lambda: 0))
    assert target["labels"] | {"host": ""} == {
        "job": "vllm",
        "service": "inference",
        "engine": "vllm",
        "host": "",
        "instance": "vllm-1:8000",
    }


def test_a_replica_beyond_the_limit_is_no_target_whether_it_was_seen_before_or_not(
    replicas: Replicas, names: Names
) -> None:
    targets(replicas)
    replicas.limit("inference", 1)
    names.running["inference"].append("inferwatch-inference-3")
    assert addresses(replicas) == ["inferwatch-inference-1:8000"]
    replicas.unlimit("inference")
    assert len(addresses(replicas)) == 3


def test_a_limit_that_nobody_lifts_ends_by_itself(replicas: Replicas, names: Names) -> None:
    replicas.limit("inference", 1)
    names.now = REMEMBERED_SECONDS - 1
    assert len(addresses(replicas)) == 1
    names.now = REMEMBERED_SECONDS
    assert len(addresses(replicas)) == 2


def test_nothing_is_a_target_where_nothing_runs() -> None:
    assert targets(Replicas("node-3", Names(), lambda: 0)) == []
