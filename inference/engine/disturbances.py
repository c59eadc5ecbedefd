"""Where somebody may break an engine on purpose. The engine knows these places and not who stands there."""

from typing import Protocol


class Disturbances(Protocol):
    """Called on the engine's thread."""

    def loading(self) -> None:
        """Before the model is loaded; may block or raise."""

    def turning(self, *, busy: bool) -> None:
        """Before each turn, of which a busy one has work; may block, or raise, which ends the engine."""

    def keeps_model(self) -> bool:
        """Whether the model stays loaded; False sends the engine back to loading."""

    def admits(self) -> bool:
        """Whether requests may come from the queue into the batch."""

    def cache_tokens(self) -> int | None:
        """Tokens of the KV cache that may be used; None for all that there are."""

    def reading(self) -> None:
        """Before a prompt is read; may raise, which ends that request alone."""

    def misleads(self) -> bool:
        """Whether the request that now comes into the batch is to be answered wrongly."""


class Undisturbed:
    """Nobody breaks anything."""

    def loading(self) -> None:
        """Go on."""

    def turning(self, *, busy: bool) -> None:
        """Go on."""

    def keeps_model(self) -> bool:
        """It stays."""
        return True

    def admits(self) -> bool:
        """They may."""
        return True

    def cache_tokens(self) -> int | None:
        """All of it."""
        return None

    def reading(self) -> None:
        """Go on."""

    def misleads(self) -> bool:
        """It is answered as well as the model can."""
        return False
