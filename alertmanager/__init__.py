"""ROUTE: Alertmanager configuration, message templates, inbox and dead man's switch."""
