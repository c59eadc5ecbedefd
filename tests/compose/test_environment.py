"""What is installed where there is no GPU."""

from importlib.metadata import distributions


def test_no_cuda_package_is_installed():
    names = {(each.metadata["Name"] or "").lower() for each in distributions()}
    assert "torch" in names
    assert [name for name in names if name.startswith(("nvidia-cu", "nvidia-nccl", "triton"))] == []
