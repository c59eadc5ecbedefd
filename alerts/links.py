"""Base URLs that alerts and messages link to; an empty base leaves the link out."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Links:
    """Where a reader of a message can click to. Committed files carry these defaults."""

    runbook_url: str = "http://127.0.0.1:8025/runbooks"
    """Pages are at <runbook_url>/<AlertName>."""
    grafana_url: str = "http://127.0.0.1:3000"
    prometheus_url: str = ""
    """For links to an alert's expression; empty: those that Prometheus makes itself, of its --web.external-url."""
    alertmanager_ui_url: str = "http://127.0.0.1:9093"
    """Empty where Alertmanager has no web page (Debian's build); the message then shows an amtool line."""

    def __post_init__(self) -> None:
        """Refuse what no mail or Slack client would open."""
        for url in (self.runbook_url, self.grafana_url, self.prometheus_url, self.alertmanager_ui_url):
            if url and not url.startswith(("http://", "https://")):
                raise ValueError(f"not an http(s) URL: {url!r}")


def from_environment(environment: Mapping[str, str]) -> Links:
    """The defaults, with RUNBOOK_URL, GRAFANA_URL, PROMETHEUS_URL and ALERTMANAGER_UI_URL in place where set."""
    names = ("runbook_url", "grafana_url", "prometheus_url", "alertmanager_ui_url")
    return Links(**{name: environment[name.upper()].rstrip("/") for name in names if name.upper() in environment})
