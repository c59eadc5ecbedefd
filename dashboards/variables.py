"""What a reader of a board can choose, and the matchers that bind a signal to it.

Alerts link to boards with `var-cluster=...&var-service=...&var-host=...&var-gpu=...`: these names are an API.
"""

from collections.abc import Callable

from alerts import signals
from alerts.links import Links
from alerts.signals import Signal
from dashboards.sdk import Builder, common_model, dashboard, model

DATASOURCE = "datasource"
RUNBOOKS = "runbooks"
"""Base URL of the runbooks: a panel links to `${runbooks}/<AlertName>`."""
PRICE = "price"
"""What one GPU costs an hour, in whatever currency."""

IN_SERVICE = {"cluster__re": "$cluster", "namespace__re": "$namespace", "service__re": "$service"}
"""Matchers for what belongs to a service."""
IN_MODEL = IN_SERVICE | {"model__re": "$model"}
"""For what the engines of a service do for a model."""
ON_ENGINE = IN_SERVICE | {"instance__re": "$instance"}
"""For one engine, whatever it serves: a dead one cannot tell its model."""
IN_ENGINE = IN_MODEL | {"instance__re": "$instance"}
ON_HOST = {"cluster__re": "$cluster", "host__re": "$host"}
"""For what belongs to a machine: its exporters may live in another namespace than the service."""
ON_GPU = ON_HOST | {"gpu__re": "$gpu"}

SOURCE = common_model.DataSourceRef(type_val="prometheus", uid=f"${{{DATASOURCE}}}")
_EVERYTHING = ".*"
"""What All stands for: a list of 2,000 hosts would not fit into a URL. Also matches where the label is missing."""


def variables(links: Links, names: tuple[str, ...]) -> list[Builder[model.VariableModel]]:
    """Data source, then what is named, each All until chosen, then what readers do not see."""
    return [
        dashboard.DatasourceVariable(DATASOURCE).label("Data source").type("prometheus"),
        *(_KINDS[name]() for name in names),
        _Hidden(dashboard.ConstantVariable(RUNBOOKS).value(links.runbook_url)),
    ]


class _Hidden(Builder[model.VariableModel]):
    """A variable that readers do not see; the SDK's constants have no setting for it."""

    def __init__(self, variable: Builder[model.VariableModel]) -> None:
        self._variable = variable

    def build(self) -> model.VariableModel:
        """The variable, hidden."""
        built = self._variable.build()
        built.hide = model.VariableHide.HIDE_VARIABLE
        return built


def _labels(label: str, title: str, selector: str) -> Builder[model.VariableModel]:
    """The values that a label has on a selector; several may be chosen."""
    query = f"label_values({selector}, {label})"
    return (
        dashboard.QueryVariable(label)
        .label(title)
        .datasource(SOURCE)
        .query(query)
        .definition(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.NUMERICAL_ASC if label == "gpu" else model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(_EVERYTHING)
        .current(model.VariableOption(text=["All"], value=["$__all"]))
    )


def _any_of(*found: Signal) -> str:
    return f'__name__=~"{"|".join(signal.name for signal in found)}"'


_SERVED = _any_of(signals.ENGINE_UP, signals.PROBE_SUCCESS)

_KINDS: dict[str, Callable[[], Builder[model.VariableModel]]] = {
    "cluster": lambda: _labels(
        "cluster",
        "Cluster",
        f"{{{_any_of(signals.ENGINE_UP, signals.PROBE_SUCCESS, signals.GPU_UP, signals.HOST_CLOCK_SKEW)}}}",
    ),
    "namespace": lambda: _labels("namespace", "Namespace", f'{{{_SERVED}, cluster=~"$cluster"}}'),
    "service": lambda: _labels("service", "Service", f'{{{_SERVED}, cluster=~"$cluster", namespace=~"$namespace"}}'),
    "model": lambda: _labels("model", "Model", str(signals.MODEL_LOADED.where(**IN_SERVICE))),
    "instance": lambda: _labels("instance", "Engine", str(signals.MODEL_LOADED.where(**IN_MODEL))),
    "host": lambda: _labels(
        "host", "Host", f'{{{_any_of(signals.GPU_UP, signals.HOST_CLOCK_SKEW)}, cluster=~"$cluster"}}'
    ),
    "gpu": lambda: _labels("gpu", "GPU", str(signals.GPU_UP.where(**ON_HOST))),
    PRICE: lambda: dashboard.TextBoxVariable(PRICE).label("Price of a GPU hour").default_value("2.50"),
}
