"""Whether the next window is scored while one is published, or after it; pure.

Two windows at once keep the device busy, which pays where scoring takes longer than publishing. Where it takes less, a
window that is scored meanwhile only waits for the publication, and so do the events that come after it for a window of
their own. Scored after the publication, all of them are one window: fewer windows, of which each costs the same, and no
two threads that want the interpreter at once. In a backlog, one poll is not all that waits: a window then collects
polls until one gives little, or the window is full.
"""

from typing import Final

GATHER_S: Final = 0.004
"""After a publication. The client has fetched the first record that came during it; the others need one more poll."""
MANY_EVENTS: Final = 256
"""A poll that gives so many has left more: it gives at most 500."""
LOOK_S: Final = 0.001
"""How long the next poll waits where more should be there."""


class Pacing:
    """Learns from how long the last window was scored and published."""

    def __init__(self) -> None:
        self._score_s = 0.0
        self._publish_s = 0.0
        self._published_at_s = -GATHER_S
        self._has_backlog = False

    def polled(self, events: int) -> None:
        """Note how many events a poll gave."""
        self._has_backlog = events >= MANY_EVENTS

    def scored(self, seconds: float) -> None:
        """Note how long a window was scored."""
        self._score_s = seconds

    def published(self, seconds: float, now_s: float) -> None:
        """Note how long a window took to be published, and that this has ended."""
        self._publish_s = seconds
        self._published_at_s = now_s

    @property
    def overlaps(self) -> bool:
        """Score the next window while this one is published."""
        return self._score_s >= self._publish_s

    def gather_s(self, now_s: float) -> float:
        """Give for how long to collect what came during a publication, before the next window is scored; 0: not."""
        if self.overlaps:
            return 0.0
        return max(LOOK_S if self._has_backlog else 0.0, self._published_at_s + GATHER_S - now_s)
