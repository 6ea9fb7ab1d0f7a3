"""How long a call is not made again after it failed."""

from collections.abc import Callable

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0


class Backoff:
    """Doubles with each failure; a success ends it."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._failures = 0
        self._first_at_s = 0.0
        self._until_s = 0.0

    @property
    def has_failed(self) -> bool:
        """No call has succeeded since the first failure."""
        return self._failures > 0

    @property
    def is_on(self) -> bool:
        """A call failed a short time ago."""
        return self.has_failed and self._monotonic_s() < self._until_s

    @property
    def lasted_s(self) -> float:
        """The time since the first failure, with a precision of 0.1 s."""
        return round(self._monotonic_s() - self._first_at_s, 1)

    def note_failure(self) -> None:
        """Make no call for some time."""
        now_s = self._monotonic_s()
        if not self.has_failed:
            self._first_at_s = now_s
        self._until_s = now_s + min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(self._failures, 10))
        self._failures += 1

    def end(self) -> None:
        """Forget the failures."""
        self._failures = 0
