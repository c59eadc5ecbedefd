"""SERVE: the reference inference service."""
