"""What is found out about who uses a GPU."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Usage:
    """One user of a GPU, or of one of its MIG instances. Empty text where nobody says."""

    uuid: str
    """Of the GPU."""
    gpu_instance: str
    """Id of the MIG GPU instance; empty for the whole GPU."""
    origin: str
    """Who says so: kubelet, cgroup or slurm."""
    pod_namespace: str = ""
    pod: str = ""
    """Its name; its uid where only the cgroup knows it."""
    container: str = ""
    """Its name; the beginning of its id where only the cgroup knows it."""
    slurm_job: str = ""
