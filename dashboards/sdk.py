"""The one door to Grafana's Foundation SDK: the classic (v1) builders, models and JSON."""

import json
import warnings
from typing import Any, cast

with warnings.catch_warnings():
    # The classic builders say "prefer dashboardv2" when imported. Grafana's file provisioning and its dashboard API
    # take classic JSON only, so there is nothing to prefer yet (README, Why it is so).
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    from grafana_foundation_sdk.builders import (
        common,
        dashboard,
        prometheus,
        stat,
        statetimeline,
        table,
        text,
        timeseries,
    )
    from grafana_foundation_sdk.cog import plugins
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.variants import Dataquery
    from grafana_foundation_sdk.models import common as common_model
    from grafana_foundation_sdk.models import dashboard as model
    from grafana_foundation_sdk.models import prometheus as prometheus_model
    from grafana_foundation_sdk.models import text as text_model

__all__ = [
    "Builder",
    "PanelBuilder",
    "annotation_target",
    "common",
    "common_model",
    "dashboard",
    "from_json",
    "model",
    "prometheus",
    "prometheus_model",
    "stat",
    "statetimeline",
    "table",
    "text",
    "text_model",
    "timeseries",
    "to_json",
]

PanelBuilder = Builder[model.Panel]


def annotation_target(tags: tuple[str, ...]) -> Builder[Dataquery]:
    """Which of Grafana's own annotations to show: those with all of these tags.

    The SDK's type for it is no query, where it asks for one; Grafana wants it there nevertheless.
    """
    target = dashboard.AnnotationTarget().type("tags").tags(list(tags)).match_any(False).limit(100)
    return cast("Builder[Dataquery]", target)


def to_json(board: model.Dashboard) -> str:
    """The board as Grafana reads it; same board, same bytes."""
    return json.dumps(board, cls=JSONEncoder, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def from_json(board: dict[str, Any]) -> model.Dashboard:
    """The model of a board in classic JSON.

    Raises:
        KeyError, TypeError, ValueError: It does not fit the model.
    """
    plugins.register_default_plugins()
    return model.Dashboard.from_json(board)
