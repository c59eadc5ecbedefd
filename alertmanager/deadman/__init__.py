"""THE DEAD MAN'S SWITCH: pages by its own means when the alerting's heartbeat stops. Needs no other part of ours."""

from typing import Final

WATCHDOG: Final = "Watchdog"
"""The alert that always fires: its arrival is the heartbeat."""
