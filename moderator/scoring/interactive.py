"""Texts that somebody waits for: what a scorer asks before each pass."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from moderator.events import Prompt, Scores, Unscored


class InteractiveTexts(Protocol):
    """The texts of requests that wait for their scores. The scoring thread owns it."""

    @property
    def came_lately(self) -> bool:
        """A text came within the last seconds: others are likely to come, and should not meet a long pass."""
        ...

    def take(self, most_tokens: int) -> Sequence[Prompt]:
        """Remove the next prompts, in order of arrival; no two of them have one score key.

        Args:
            most_tokens: of all of them together; the first one is given even where it is longer.
        """
        ...

    def give(self, scores: Mapping[str, Scores | Unscored], seconds: float) -> None:
        """Take what a pass gave, by score key, and the seconds of the device that it took."""
        ...

    def fail(self, score_key: str, error: Exception) -> None:
        """Take note that scoring this prompt raised a fault of ours, although it was alone in its pass."""
        ...
