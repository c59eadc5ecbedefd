"""Runs the service with OpenTelemetry's automatic FastAPI instrumentation as it comes: to be compared with ours.

Takes the service's arguments; BENCH_COLLECTOR is where the spans go.
"""

import os
import sys

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from inference.__main__ import main

if __name__ == "__main__":
    provider = TracerProvider()
    exporter = OTLPSpanExporter(f"{os.environ['BENCH_COLLECTOR']}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    FastAPIInstrumentor().instrument(tracer_provider=provider)
    sys.exit(main())
