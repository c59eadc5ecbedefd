"""Whether an answer is right: finds out which version gave it, and compares it with the golden one."""

import httpx

from exporters.probe.completion import Result
from exporters.probe.config import Target
from exporters.probe.golden import GoldenAnswers, Key
from exporters.probe.listing import listed_version

_LISTING_TIMEOUT = 1.0
"""Seconds; the list of models is made without the engine, so a slow one is not worth waiting for."""


class Judge:
    """Judges the answers of all targets."""

    def __init__(self, golden: GoldenAnswers) -> None:
        self._golden = golden
        self._versions: dict[Target, str] = {}
        """As last listed."""

    async def matches(self, client: httpx.AsyncClient, target: Target, result: Result, time_left: float) -> bool | None:
        """Whether an attempt brought the golden answer.

        Returns:
            None where that is unknown: the attempt failed, there is no golden answer yet, or none is wanted.

        Args:
            client: As `new_client` makes it; used only where the answer does not name its version.
            target: Who answered.
            result: What came of the attempt.
            time_left: Seconds that a look-up may take at most.
        """
        if result.reason or not target.check_answers:
            return None
        if target.golden is not None:
            return result.text.startswith(target.golden)
        version = result.fingerprint or await self._listed(client, target, result.model, time_left)
        return self._golden.judge(Key(target.name, result.model, version), result.text)

    async def _listed(self, client: httpx.AsyncClient, target: Target, model: str, time_left: float) -> str:
        """The version that the server lists now; the one known before where it does not answer.

        Asked after each attempt, not only after a wrong answer: a version that came unnoticed, since it answers the
        same, would get its first wrong answer learned as golden.
        """
        version = await listed_version(client, target, model, min(_LISTING_TIMEOUT, time_left))
        if version is not None:
            self._versions[target] = version
        return self._versions.get(target, "")
