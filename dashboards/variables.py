"""The variables of every board, and the matchers that bind a signal to them.

Alerts link to boards with `var-cluster=...&var-service=...&var-host=...`: these names are an API.
"""

from alerts.links import Links
from alerts.signals import ENGINE_UP, GPU_UP, PROBE_SUCCESS
from dashboards.sdk import Builder, common_model, dashboard, model

DATASOURCE = "datasource"
RUNBOOKS = "runbooks"
"""Base URL of the runbooks: a panel links to `${runbooks}/<AlertName>`."""

IN_SERVICE = {"cluster__re": "$cluster", "namespace__re": "$namespace", "service__re": "$service"}
"""Matchers for what belongs to a service."""
ON_HOST = {"cluster__re": "$cluster", "host__re": "$host"}
"""Matchers for what belongs to a machine: its exporters may live in another namespace than the service."""

SOURCE = common_model.DataSourceRef(type_val="prometheus", uid=f"${{{DATASOURCE}}}")
_EVERYTHING = ".*"
"""What All stands for: a list of 2,000 hosts would not fit into a URL. Also matches where the label is missing."""


def variables(links: Links) -> list[Builder[model.VariableModel]]:
    """Data source, then cluster > namespace > service and cluster > host, each All until chosen."""
    probed = f"{ENGINE_UP}|{PROBE_SUCCESS}"
    return [
        dashboard.DatasourceVariable(DATASOURCE).label("Data source").type("prometheus"),
        _labels("cluster", "Cluster", f'{{__name__=~"{probed}|{GPU_UP}"}}'),
        _labels("namespace", "Namespace", f'{{__name__=~"{probed}", cluster=~"$cluster"}}'),
        _labels("service", "Service", f'{{__name__=~"{probed}", cluster=~"$cluster", namespace=~"$namespace"}}'),
        _labels("host", "GPU host", str(GPU_UP.where(cluster__re="$cluster"))),
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
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(_EVERYTHING)
        .current(model.VariableOption(text=["All"], value=["$__all"]))
    )
