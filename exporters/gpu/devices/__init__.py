"""From the driver to readings: what NVML says, in base units, before anyone thinks of metrics."""
