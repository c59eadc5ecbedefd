"""SHOW: Grafana dashboards as code."""
