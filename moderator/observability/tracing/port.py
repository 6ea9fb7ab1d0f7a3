"""What the loop reports for traces."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from moderator.events import DecidedSpan, Record


class Tracing(Protocol):
    """Called by the loop, on its thread; must never raise or wait. Windows end in the order in which they began."""

    def window_began(self, polled: Iterable[tuple[Record, float]]) -> None:
        """Note that a window goes to the scorer: its records, each with the monotonic second at which it was polled."""
        ...

    def window_decided(self, spans: list[DecidedSpan]) -> list[DecidedSpan]:
        """Describe what became of the events of the oldest window.

        Returns:
            The spans as they are to be published: the `traceparent` of an event that is traced names our span.
        """
        ...

    def committed(self, spans: Sequence[DecidedSpan]) -> None:
        """Note that this part of the oldest window is visible to readers."""
        ...

    def window_ended(self) -> None:
        """Note that nothing of the oldest window is left to publish; what was not committed has another owner now."""
        ...

    def stopped(self, error: BaseException) -> None:
        """Note that the loop ended by an error."""
        ...

    def close(self) -> None:
        """Send what is left, within a second."""
        ...
