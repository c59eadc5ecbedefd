"""The whole exporter beside a kubelet and a scheduler."""

import json

from prometheus_client.parser import text_string_to_metric_families


def users(exporter):
    return [
        tuple(sample.labels[name] for name in ("gpu", "origin", "pod_namespace", "pod", "container", "slurm_job"))
        for family in text_string_to_metric_families(exporter.get("/metrics"))
        for sample in family.samples
        if sample.name == "gpu_attribution_info"
    ]


def test_pods_and_jobs_appear_beside_the_gpus_that_they_use(kubelet, response, start, tmp_path):
    (tmp_path / "1").write_text("4711\n")
    idle = ("--source", "simulated", "--simulated-load-url", "http://127.0.0.1:9/metrics")
    uuid = json.loads(start(*idle).get("/simulator/gpus"))[0]["uuid"]
    kubelet.answer = response(("chat", "vllm-0", {"engine": {"nvidia.com/gpu": [uuid]}}))
    exporter = start(*idle, "--kubelet-socket", str(kubelet.socket), "--slurm-job-directory", str(tmp_path))
    exporter.until(lambda samples: {("gpu_attribution_info", "0"), ("gpu_attribution_info", "1")} <= samples.keys())
    assert users(exporter) == [("0", "kubelet", "chat", "vllm-0", "engine", ""), ("1", "slurm", "", "", "", "4711")]
    assert "kubelet answers: GPUs are attributed to pods" in exporter.log()
