"""Asks every configured service for a short completion, as a user would, and exposes what came of it."""
