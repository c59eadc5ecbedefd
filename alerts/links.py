"""Base URLs that alerts and messages link to; an empty base leaves the link out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Links:
    """Where a reader of a message can click to. Committed files carry these defaults."""

    runbook_url: str = "http://127.0.0.1:8025/runbooks"
    """Pages are at <runbook_url>/<AlertName>."""
    grafana_url: str = "http://127.0.0.1:3000"
    alertmanager_ui_url: str = "http://127.0.0.1:9093"
    """Empty where Alertmanager has no web page (Debian's build); the message then shows an amtool line."""

    def __post_init__(self) -> None:
        """Refuse what no mail or Slack client would open."""
        for url in (self.runbook_url, self.grafana_url, self.alertmanager_ui_url):
            if url and not url.startswith(("http://", "https://")):
                raise ValueError(f"not an http(s) URL: {url!r}")
