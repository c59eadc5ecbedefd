"""What cgroup paths say."""

import pytest

from exporters.gpu.attribution.cgroup import Membership, parse, read

ID = "4f1c0e5d9a2b" + "7" * 52
POD = "0d3b1c2e-5f60-4a7b-8c9d-0e1f2a3b4c5d"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD.replace('-', '_')}.slice"
            f"/cri-containerd-{ID}.scope",
            Membership(POD, "4f1c0e5d9a2b", ""),
        ),
        (f"/kubepods/besteffort/pod{POD}/{ID}", Membership(POD, "4f1c0e5d9a2b", "")),
        (f"/kubepods.slice/kubepods-pod{POD.replace('-', '_')}.slice/crio-{ID}.scope", Membership(POD, "4f1c0e5d9a2b")),
        (f"/docker/{ID}", Membership("", "4f1c0e5d9a2b", "")),
        (f"/system.slice/docker-{ID}.scope", Membership("", "4f1c0e5d9a2b", "")),
        (f"/machine.slice/libpod-{ID}.scope/container", Membership("", "4f1c0e5d9a2b", "")),
        ("/system.slice/slurmstepd.scope/job_4711/step_0/user/task_0", Membership("", "", "4711")),
        ("/slurm/uid_1000/job_4711/step_batch", Membership("", "", "4711")),
        ("/user.slice/user-1000.slice/session-3.scope", Membership()),
        ("/job_4711", Membership()),
        ("/", Membership()),
    ],
)
def test_a_path_says_pod_container_and_job(path, expected):
    assert parse(f"0::{path}\n") == expected


def test_the_first_hierarchy_that_says_anything_counts():
    assert parse(f"12:cpuset:/\n5:devices:/docker/{ID}\n1:name=systemd:/slurm/uid_0/job_9/x\n") == Membership(
        "", "4f1c0e5d9a2b", ""
    )


def test_a_process_is_looked_up_by_its_pid(tmp_path):
    (tmp_path / "77").mkdir()
    (tmp_path / "77" / "cgroup").write_text(f"0::/docker/{ID}\n")
    assert read(tmp_path, 77) == Membership("", "4f1c0e5d9a2b", "")


def test_a_process_that_is_gone_belongs_nowhere(tmp_path):
    assert read(tmp_path, 77) == Membership()
