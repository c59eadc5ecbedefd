"""The GPU exporter: reads NVML, serves Prometheus metrics. Start it with `python -m exporters.gpu`."""
