"""The reference service (python -m inference): its own metrics as canonical signals."""

from alerts import signals
from alerts.engines.adapter import Adapter, record, record_gpus
from alerts.rule import Recording
from alerts.timing import Timing, duration
from exporters.catalogue import llm
from exporters.catalogue.labels import SERVICE_FAULTS
from exporters.catalogue.metric import Metric

KIND = "inferwatch"
_PER_SERVICE = "cluster, namespace, service, engine, model, le"


def _with_model(expr: str) -> str:
    """GenAI metrics call the model gen_ai_request_model; canonical signals call it model."""
    return f'label_replace({expr}, "model", "$1", "gen_ai_request_model", "(.*)")'


def _buckets(metric: Metric, minute: str, also: str = "") -> str:
    rate = _with_model(f'rate({metric.bucket}{{engine="{KIND}"{also}}}[{minute}])')
    return f"sum by ({_PER_SERVICE}) ({rate})"


def _own_buckets(metric: Metric, minute: str) -> str:
    """Of a metric that calls the model what canonical signals call it."""
    return f'sum by ({_PER_SERVICE}) (rate({metric.bucket}{{engine="{KIND}"}}[{minute}]))'


def _recordings(timing: Timing) -> tuple[Recording, ...]:
    progress, minute, lately = (duration(timing.window(seconds)) for seconds in (15, 60, 600))
    requests = _with_model(f'rate({llm.REQUEST_DURATION.count}{{engine="{KIND}"}}[{minute}])')
    well = _with_model(f'rate({llm.REQUEST_DURATION.count}{{engine="{KIND}", error_type=""}}[{minute}])')
    failed = llm.REQUEST_ERRORS.where(engine=KIND, error_type__re="|".join(SERVICE_FAULTS)).over(minute)
    steps, inside = (metric.where(engine=KIND).over(lately) for metric in (llm.ENGINE_STEPS, llm.ENGINE_RESTARTS))
    counted = signals.FAILED_REQUESTS.where(engine=KIND)
    without = "gen_ai_operation_name, gen_ai_provider_name, gen_ai_request_model, error_type"
    return (
        record(signals.RUNNING, str(llm.RUNNING.where(engine=KIND))),
        record(signals.WAITING, str(llm.WAITING.where(engine=KIND))),
        record(signals.MODEL_LOADED, str(llm.MODEL_LOADED.where(engine=KIND))),
        record(signals.PROGRESS, f"rate({llm.ENGINE_STEPS.where(engine=KIND).over(progress)})"),
        record(signals.PROMPT_TOKENS, f"rate({llm.PROMPT_TOKENS.where(engine=KIND).over(minute)})"),
        record(signals.GENERATED_TOKENS, f"rate({llm.GENERATED_TOKENS.where(engine=KIND).over(minute)})"),
        record(signals.REQUESTS, f"sum without ({without}) ({requests})"),
        record(signals.REQUEST_ERRORS, f"rate({llm.REQUEST_ERRORS.where(engine=KIND).over(minute)})"),
        record(signals.FAILED_REQUESTS, f"sum without (error_type) (rate({failed}))"),
        # Failures by their own counter, which starts at 0: the histogram's series of an error appears with its first
        # error, which a rate then misses, and more could seem to have failed than were asked for.
        record(signals.VALID_REQUESTS, f"sum without ({without}) ({well} or {counted})"),
        record(signals.TIME_TO_FIRST_TOKEN, _buckets(llm.TIME_TO_FIRST_TOKEN, minute)),
        record(signals.TIME_PER_OUTPUT_TOKEN, _buckets(llm.TIME_PER_OUTPUT_TOKEN, minute)),
        record(signals.INTER_TOKEN_LATENCY, _own_buckets(llm.INTER_TOKEN_LATENCY, minute)),
        record(signals.QUEUE_TIME, _own_buckets(llm.QUEUE_TIME, minute)),
        record(signals.REQUEST_DURATION, _buckets(llm.REQUEST_DURATION, minute, ', error_type=""')),
        # Of the process and, where that lives on, of the engine in it; rounded, since a rate extrapolates a little.
        record(signals.RESTARTS, f"resets({steps}) + round(increase({inside}))"),
        record(signals.KV_CACHE_USAGE, str(llm.KV_CACHE_USAGE.where(engine=KIND))),
        record(signals.PREEMPTIONS, f"rate({llm.PREEMPTIONS.where(engine=KIND).over(minute)})"),
        record(signals.REJECTIONS, f"rate({llm.REJECTIONS.where(engine=KIND).over(minute)})"),
        record(signals.BUILD_INFO, str(llm.BUILD_INFO.where(engine=KIND))),
        record_gpus(KIND, str(llm.GPU_INFO.where(engine=KIND)), timing),
    )


ADAPTER = Adapter(KIND, _recordings)
