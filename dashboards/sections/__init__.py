"""Sections of boards: the panels that answer one question, one file per subject."""
