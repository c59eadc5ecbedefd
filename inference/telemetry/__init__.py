"""WHAT IS MEASURED: OpenTelemetry's SDK, served to Prometheus. The engine does not know about it."""
