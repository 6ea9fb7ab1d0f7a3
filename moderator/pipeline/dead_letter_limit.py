"""Stop when too many records are unreadable: a faulty producer must not turn a topic into dead letters."""

from collections import deque
from collections.abc import Iterable

from moderator.errors import DeadLetterLimitError

JUDGED_RECORDS = 1_000
"""The limit is on the share of the last so many records; it is not checked before there are so many."""


class DeadLetterLimit:
    """Counts dead letters among the last 1,000 records.

    Args:
        max_ratio: the largest share that is accepted, 0 < share <= 1.
    """

    def __init__(self, max_ratio: float) -> None:
        self._max_ratio = max_ratio
        self._last: deque[bool] = deque(maxlen=JUDGED_RECORDS)
        self._count = 0

    def observe(self, is_dead_letter: Iterable[bool]) -> None:
        """Count records in the order they came.

        Raises:
            DeadLetterLimitError: the share is over the limit.
        """
        for is_dead in is_dead_letter:
            if len(self._last) == JUDGED_RECORDS:
                self._count -= self._last[0]
            self._last.append(is_dead)
            self._count += is_dead
            if len(self._last) == JUDGED_RECORDS and self._count > self._max_ratio * JUDGED_RECORDS:
                raise DeadLetterLimitError(
                    f"{self._count} of the last {JUDGED_RECORDS} records were dead letters, more than "
                    f"`dead_letters.max_ratio` {self._max_ratio} allows: nothing of this window was published; "
                    "fix the producer, or raise the limit"
                )
