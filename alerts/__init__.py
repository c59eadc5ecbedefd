"""DECIDE: what deserves a person, as typed data that becomes Prometheus rules."""
