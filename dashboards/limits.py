"""Where alerts draw their lines: boards draw the same ones, from the same constants and the same objectives.yaml."""

from alerts import objectives, timing

OBJECTIVES = objectives.load()
TIMING = timing.load()


def limit(alert: str, default: float) -> float:
    """What an alert compares with: the user's threshold, else the catalogue's."""
    return OBJECTIVES.threshold(alert, default)


def window(seconds: float) -> str:
    """A look-back as the rules write it, for this clock."""
    return timing.duration(TIMING.window(seconds))
