"""Gather what was polled into windows; pure.

A window is a contiguous range of offsets per owned partition. Windows leave in the order they came, so publishing
one commits its end and no offset tracker is needed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from moderator.events import ChatEvent, DeadLetter, Decision, Partition, Record


@dataclass(frozen=True, slots=True)
class PolledBatch:
    """Records of one partition, in offset order, as one poll gave them.

    Attributes:
        epoch: how often this process had been given the partition when it polled.
        next_offset: the offset to read after these (larger than last + 1 where the log has gaps).
    """

    partition: Partition
    epoch: int
    records: list[Record]
    next_offset: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One record with what was read from it, and when it was polled (monotonic seconds)."""

    record: Record
    event: ChatEvent | DeadLetter
    polled_at_s: float


@dataclass(slots=True)
class Span:
    """The part of a window that lies in one partition."""

    partition: Partition
    epoch: int
    next_offset: int
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class Window:
    """What is scored together and published in one transaction."""

    spans: list[Span]

    @property
    def entries(self) -> list[Entry]:
        """All entries, span after span."""
        return [entry for span in self.spans for entry in span.entries]


@dataclass(frozen=True, slots=True)
class DecidedSpan:
    """A span with its outcome per record, in offset order; publishing it commits `next_offset`."""

    partition: Partition
    epoch: int
    next_offset: int
    outcomes: list[tuple[Record, Decision | DeadLetter]]
