"""Gather what was polled into windows; pure.

A window is a contiguous range of offsets per owned partition. Windows leave in the order they came, so publishing
one commits its end and no offset tracker is needed.
"""

from collections import deque
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from moderator.events import ChatEvent, DeadLetter, Partition, Record
from moderator.settings import WindowSettings

FULL = 1 - 1e-9
"""The shares of a whole window's entries add up to one, but for rounding."""
CHARACTERS_PER_TOKEN = 4
"""A guess that bounds a window's scoring time before anything is tokenized."""


class Entry(NamedTuple):
    """One record with what was read from it, and when it was polled (monotonic seconds)."""

    record: Record
    event: ChatEvent | DeadLetter
    polled_at_s: float


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a window that lies in one partition; `next_offset` is the offset to read after it."""

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


class Gathering:
    """What was polled and is not yet in a window, in the order it came.

    Args:
        limits: what a window may hold; one entry is always taken, however large.
        max_input_tokens: an event never costs more tokens than the model reads.
    """

    def __init__(self, limits: WindowSettings, max_input_tokens: int) -> None:
        self._limits = limits
        self._max_input_tokens = max_input_tokens
        self._waiting: deque[tuple[Span, list[float]]] = deque()

    def __bool__(self) -> bool:
        """Tell whether anything is waiting."""
        return bool(self._waiting)

    @property
    def is_full(self) -> bool:
        """A whole window is waiting: poll no further."""
        return sum(sum(shares) for _, shares in self._waiting) >= FULL

    def add(self, span: Span) -> None:
        """Append what one poll gave of one partition; what an earlier ownership of it left here is dropped."""
        if any(old.partition == span.partition and old.epoch != span.epoch for old, _ in self._waiting):
            self._waiting = deque(each for each in self._waiting if each[0].partition != span.partition)
        self._waiting.append((span, [self._share_of(entry) for entry in span.entries]))

    def take(self) -> Window | None:
        """Cut the next window off the front; None when nothing waits."""
        pieces: list[Span] = []
        room = FULL
        while self._waiting and room > 0:
            span, shares = self._waiting.popleft()
            count = min(len(shares), sum(used < room for used in accumulate(shares, initial=0.0)))
            if count < len(shares):
                self._waiting.appendleft((_after(span, count), shares[count:]))
            pieces.append(_before(span, count))
            room -= sum(shares[:count])
        return Window(_joined(pieces)) if pieces else None

    def clear(self) -> None:
        """Forget everything; nothing of it was committed, so it will be polled again."""
        self._waiting.clear()

    def _share_of(self, entry: Entry) -> float:
        """Give the part of a window that one entry fills, by its tightest limit."""
        limits = self._limits
        size_bytes = len(entry.record.value or b"")
        tokens = 0
        if isinstance(entry.event, ChatEvent):
            characters = sum(len(turn.content) for turn in entry.event.conversation)
            tokens = min(characters // CHARACTERS_PER_TOKEN, self._max_input_tokens)
        return max(1 / limits.max_events, size_bytes / limits.max_bytes, tokens / limits.max_tokens)


def _before(span: Span, count: int) -> Span:
    """Give the first `count` entries; the next offset to read is then that of the first one left behind."""
    if count == len(span.entries):
        return span
    return Span(span.partition, span.epoch, span.entries[count].record.offset, span.entries[:count])


def _after(span: Span, count: int) -> Span:
    return Span(span.partition, span.epoch, span.next_offset, span.entries[count:])


def _joined(pieces: list[Span]) -> list[Span]:
    """Join the pieces of each partition, so that a window holds one range of each."""
    joined: dict[Partition, Span] = {}
    for piece in pieces:
        before = joined.get(piece.partition)
        entries = before.entries + piece.entries if before else piece.entries
        joined[piece.partition] = Span(piece.partition, piece.epoch, piece.next_offset, entries)
    return list(joined.values())
