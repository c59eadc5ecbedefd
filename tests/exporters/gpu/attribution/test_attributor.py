"""Who uses a GPU, from all sources together."""

import pytest

from exporters.gpu.attribution.attributor import Attributor
from exporters.gpu.attribution.kubelet import Kubelet
from exporters.gpu.attribution.usage import Usage
from exporters.gpu.devices.reading import (
    Activity,
    GpuReading,
    Identity,
    Instance,
    Memory,
    Mig,
    Process,
    Processes,
)

PROCESS = Processes((Process(77, "python3", 5, alive=True),), complete=True)
CONTAINER = "4f1c0e5d9a2b" + "7" * 52


def gpu(index, uuid, **parts):
    return GpuReading(Identity(index, uuid, "", "", "", "", "", minor_number=index + 3), **parts)


def split(index, uuid, *instances):
    found = tuple(Instance(f"MIG-{uuid}-{one}", one, 0, "1g.18gb", Memory(), Activity()) for one in instances)
    return gpu(index, uuid, mig=Mig(enabled=True, instances=found))


@pytest.fixture
def proc(tmp_path):
    (tmp_path / "77").mkdir()
    (tmp_path / "77" / "cgroup").write_text(f"0::/docker/{CONTAINER}\n")
    return tmp_path


@pytest.fixture
def asked(kubelet, response):
    """Makes a kubelet that has been asked, and has answered with these pods."""

    def asked(*pods):
        kubelet.answer = response(*pods)
        asker = Kubelet(kubelet.socket)
        asker.look()
        return asker

    return asked


@pytest.mark.parametrize(
    ("device", "usage"),
    [
        ("GPU-a", Usage("GPU-a", "", "kubelet", "chat", "vllm-0", "engine")),
        ("GPU-a::2", Usage("GPU-a", "", "kubelet", "chat", "vllm-0", "engine")),
        ("nvidia3", Usage("GPU-a", "", "kubelet", "chat", "vllm-0", "engine")),
        ("MIG-GPU-b-5", Usage("GPU-b", "5", "kubelet", "chat", "vllm-0", "engine")),
        ("nvidia4/gi5", Usage("GPU-b", "5", "kubelet", "chat", "vllm-0", "engine")),
    ],
)
def test_the_kubelet_may_call_a_gpu_by_any_of_its_names(asked, device, usage):
    asker = asked(("chat", "vllm-0", {"engine": {"nvidia.com/gpu": [device]}}))
    assert Attributor(asker).usages([gpu(0, "GPU-a"), split(1, "GPU-b", 5)]) == (usage,)


def test_a_device_that_is_no_gpu_of_ours_is_nobodys(asked):
    asker = asked(("chat", "vllm-0", {"engine": {"rdma/hca": ["mlx5_0"], "nvidia.com/gpu": ["GPU-x"]}}))
    assert Attributor(asker).usages([gpu(0, "GPU-a")]) == ()


def test_the_cgroup_is_asked_where_the_kubelet_knows_nobody(asked, proc):
    asker = asked(("chat", "vllm-0", {"engine": {"nvidia.com/gpu": ["GPU-a"]}}))
    readings = [gpu(0, "GPU-a", processes=PROCESS), gpu(1, "GPU-b", processes=PROCESS)]
    assert Attributor(asker, proc).usages(readings) == (
        Usage("GPU-a", "", "kubelet", "chat", "vllm-0", "engine"),
        Usage("GPU-b", "", "cgroup", container="4f1c0e5d9a2b"),
    )


def test_processes_outside_containers_and_simulated_ones_use_a_gpu_without_a_name(proc):
    (proc / "77" / "cgroup").write_text("0::/user.slice\n")
    assert Attributor(proc=proc).usages([gpu(0, "GPU-a", processes=PROCESS)]) == ()
    assert Attributor(proc=None).usages([gpu(0, "GPU-a", processes=PROCESS)]) == ()


def test_jobs_come_from_the_schedulers_directory(tmp_path):
    (tmp_path / "0").write_text("4711\n4712\n\n4711\n")
    (tmp_path / "GPU-c").write_text("4713")
    (tmp_path / "1.5").write_text("4714\n")
    readings = [gpu(0, "GPU-a"), split(1, "GPU-b", 5), gpu(2, "GPU-c"), gpu(3, "GPU-d")]
    assert Attributor(job_directory=tmp_path).usages(readings) == (
        Usage("GPU-a", "", "slurm", slurm_job="4711"),
        Usage("GPU-a", "", "slurm", slurm_job="4712"),
        Usage("GPU-b", "5", "slurm", slurm_job="4714"),
        Usage("GPU-c", "", "slurm", slurm_job="4713"),
    )


def test_a_gpu_has_at_most_eight_users(tmp_path):
    (tmp_path / "0").write_text("".join(f"{job}\n" for job in range(10, 60)))
    found = Attributor(job_directory=tmp_path).usages([gpu(0, "GPU-a")])
    assert [one.slurm_job for one in found] == [str(job) for job in range(10, 18)]


def test_a_job_file_of_garbage_costs_nothing_but_its_jobs(tmp_path):
    (tmp_path / "0").write_bytes(b"\xff\xfe" + b"x" * 100_000)
    (tmp_path / "1").mkdir()
    found = Attributor(job_directory=tmp_path).usages([gpu(0, "GPU-a"), gpu(1, "GPU-b")])
    assert [(one.uuid, len(one.slurm_job)) for one in found] == [("GPU-a", 128)]
