"""The one door to Grafana's Foundation SDK: the classic (v1) builders, models and JSON."""

import json
import warnings

with warnings.catch_warnings():
    # The classic builders say "prefer dashboardv2" when imported. Grafana's file provisioning and its dashboard API
    # take classic JSON only, so there is nothing to prefer yet (README, Why it is so).
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, table, timeseries
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import common as common_model
    from grafana_foundation_sdk.models import dashboard as model
    from grafana_foundation_sdk.models import prometheus as prometheus_model

__all__ = [
    "Builder",
    "PanelBuilder",
    "common",
    "common_model",
    "dashboard",
    "model",
    "prometheus",
    "prometheus_model",
    "stat",
    "statetimeline",
    "table",
    "timeseries",
    "to_json",
]

PanelBuilder = Builder[model.Panel]


def to_json(board: model.Dashboard) -> str:
    """The board as Grafana reads it; same board, same bytes."""
    return json.dumps(board, cls=JSONEncoder, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
