"""THE ENGINE: a thread that batches requests through the model. Knows nothing of HTTP, telemetry or settings."""
