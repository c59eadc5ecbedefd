"""Golden answers: what a target said twice in a row, kept in a file across restarts. Knows no HTTP and no metrics."""

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from exporters.probe.config import ConfigError

_LOG = logging.getLogger(__name__)
COMPARED = 16
"""Characters of an answer that are learned and compared: about four tokens of English.

On a GPU the other requests of a batch change the order of additions, and so, rarely, which of two nearly equal
tokens is the greatest; all tokens after such a flip differ. The fewer are compared, the rarer that is.
"""
MAX_KEPT = 1000
"""Golden answers; beyond that the oldest go. A server may call every answer another version."""


class Key(NamedTuple):
    """Whose answer it is."""

    target: str
    model: str
    version: str
    """Empty where the server tells versions apart by nothing but the model's name."""


class GoldenAnswers:
    """What is known of right answers to one question."""

    def __init__(self, path: Path | None, prompt: str, max_tokens: int) -> None:
        """Read the file, and write it at once, so that a place that cannot be written shows at the start.

        Args:
            path: Where to keep the answers; None for only in memory.
            prompt: Answers to another one are dropped.
            max_tokens: Answers of another length are dropped.

        Raises:
            ConfigError: The file is not one of ours, or it cannot be read or written.
        """
        self._path = path
        self._question: dict[str, object] = {"prompt": prompt, "max_tokens": max_tokens}
        self._candidates: dict[Key, str] = {}
        self._golden: dict[Key, str] = self._load(path) if path and path.exists() else {}
        try:
            self._save()
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written ({error}); choose another --state-file") from error

    def judge(self, key: Key, answer: str) -> bool | None:
        """Compare an answer with the golden one; None while there is none. The second equal answer becomes golden.

        The first one alone does not: it may be the wrong one of an engine that errs now and then.
        """
        text = answer[:COMPARED]
        golden = self._golden.get(key)
        if golden is not None:
            return text == golden
        if self._candidates.get(key) != text:
            _keep(self._candidates, key, text)
            return None
        del self._candidates[key]
        _keep(self._golden, key, text)
        self._learned(key)
        return True

    def _learned(self, key: Key) -> None:
        """Say so and keep it; a disk that is full costs the next process a learning, not this one its work."""
        _LOG.info("golden answer learned: target %r, model %r, version %r", *key)
        try:
            self._save()
        except OSError as error:
            _LOG.error("golden answers not stored, they are lost with this process: %s: %s", self._path, error)

    def _load(self, path: Path) -> dict[Key, str]:
        """The golden answers of the file; none where it is about another question."""
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            answers = {
                Key(str(entry["target"]), str(entry["model"]), str(entry["version"])): str(entry["text"])
                for entry in stored["golden"]
            }
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise ConfigError(
                f"{path}: not a state file of the probe ({type(error).__name__}: {error}); "
                "delete it to learn the golden answers anew"
            ) from error
        if any(stored.get(name) != value for name, value in self._question.items()):
            _LOG.warning("%s: its answers are to another prompt or max_tokens; learning anew", path)
            return {}
        return answers

    def _save(self) -> None:
        """Replace the file as a whole: whoever reads it, or starts after a crash, finds the old or the new one."""
        if self._path is None:
            return
        answers = [{**key._asdict(), "text": text} for key, text in self._golden.items()]
        document = json.dumps({**self._question, "golden": answers}, indent=2)
        descriptor, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(document + "\n")
                file.flush()
                os.fsync(descriptor)
            Path(name).replace(self._path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise


def _keep(answers: dict[Key, str], key: Key, text: str) -> None:
    """Add an answer as the newest; the oldest goes where there are too many."""
    answers.pop(key, None)
    answers[key] = text
    if len(answers) > MAX_KEPT:
        del answers[next(iter(answers))]
