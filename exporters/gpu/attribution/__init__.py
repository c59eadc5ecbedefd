"""Who uses which GPU: pods by the kubelet, containers by the process's cgroup, jobs by the scheduler.

Knows neither NVML nor Prometheus. What no source knows stays unknown: then the host is all there is.
"""
