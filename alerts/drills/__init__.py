"""Faults that prove the alerts: each breaks a running stack and knows the one page that must follow."""
