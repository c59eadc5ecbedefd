"""MEASURE: exporters that turn GPUs and outside probes into Prometheus metrics."""
