"""What was polled and is not yet committed: the part of the lag that lies behind the client's own position."""

from collections.abc import Iterable

from moderator.events import DecidedSpan, Partition, PolledSpan


class InFlight:
    """Counts offsets by partition, from where reading begins."""

    def __init__(self) -> None:
        self._polled: dict[Partition, int] = {}
        self._committed: dict[Partition, int] = {}

    def begin(self, partition: Partition, position: int) -> None:
        """Start from zero at a committed position."""
        self._polled[partition] = self._committed[partition] = position

    def polled(self, span: PolledSpan) -> None:
        """Add what a poll gave."""
        self._polled[span.partition] = span.next_offset

    def committed(self, spans: Iterable[DecidedSpan]) -> None:
        """Subtract what was committed."""
        self._committed.update({span.partition: span.next_offset for span in spans})

    def forget(self, partition: Partition) -> None:
        """Start from nothing: another owner may have committed more."""
        self._polled.pop(partition, None)
        self._committed.pop(partition, None)

    def count(self, partition: Partition) -> int:
        """Give how many offsets of the partition are in flight."""
        return self._polled.get(partition, 0) - self._committed.get(partition, 0)

    def is_passed(self, partition: Partition, position: int) -> bool:
        """Check whether all that was polled is committed, and the client has read further: markers, aborted records."""
        return not self.count(partition) and position > self._committed.get(partition, position)
