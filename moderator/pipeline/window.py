"""Gather what was polled into windows; pure.

A window is a contiguous range of offsets per owned partition. Windows leave in the order they came, so publishing
one commits its end and no offset tracker is needed.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from moderator.events import ChatEvent, DeadLetter, Partition, Record, Turn
from moderator.settings import WindowSettings

BYTES_PER_TOKEN = 4
TEMPLATE_TOKENS = 8
"""What a chat template adds to each turn, and to the whole."""


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


class WindowBuffer:
    """What was polled and is not yet in a window, in the order it came.

    Args:
        limits: what a window may hold; the entry that reaches a limit is the last one taken.
        max_input_tokens: an event never costs more tokens than the model reads.

    Attributes:
        max_tokens: guessed tokens of a window; may be changed at any time.
    """

    def __init__(self, limits: WindowSettings, max_input_tokens: int) -> None:
        self.max_tokens = limits.max_tokens
        self._limits = limits
        self._max_input_tokens = max_input_tokens
        self._waiting: deque[tuple[Span, list[Size]]] = deque()
        self._size = Size()

    def __bool__(self) -> bool:
        """Tell whether anything is waiting."""
        return bool(self._waiting)

    @property
    def is_full(self) -> bool:
        """A whole window is waiting: poll no further."""
        return self._is_whole(self._size)

    def add(self, span: Span) -> None:
        """Append what one poll gave of one partition; what an earlier ownership of it left here is dropped."""
        if any(old.partition == span.partition and old.epoch != span.epoch for old, _ in self._waiting):
            self._waiting = deque(waiting for waiting in self._waiting if waiting[0].partition != span.partition)
            self._size = _total(size for _, sizes in self._waiting for size in sizes)
        sizes = [self._size_of(entry) for entry in span.entries]
        self._waiting.append((span, sizes))
        self._size = self._size.plus(_total(sizes))

    def take(self) -> Window | None:
        """Cut the next window off the front; None when nothing waits."""
        pieces: list[Span] = []
        taken = Size()
        while self._waiting and not self._is_whole(taken):
            span, sizes = self._waiting.popleft()
            count = 0
            while count < len(sizes) and not self._is_whole(taken):
                taken = taken.plus(sizes[count])
                count += 1
            if count < len(sizes):
                self._waiting.appendleft((_after(span, count), sizes[count:]))
            pieces.append(_before(span, count))
        self._size = self._size.minus(taken)
        return Window(_joined(pieces)) if pieces else None

    def clear(self) -> None:
        """Forget everything; nothing of it was committed, so it will be polled again."""
        self._waiting.clear()
        self._size = Size()

    def _is_whole(self, size: "Size") -> bool:
        limits = self._limits
        return size.events >= limits.max_events or size.bytes >= limits.max_bytes or size.tokens >= self.max_tokens

    def _size_of(self, entry: Entry) -> "Size":
        event = entry.event
        tokens = guessed_tokens(event.conversation, self._max_input_tokens) if isinstance(event, ChatEvent) else 0
        return Size(1, len(entry.record.value or b""), tokens)


class Size(NamedTuple):
    """Events, their records' bytes, and guessed tokens."""

    events: int = 0
    bytes: int = 0
    tokens: int = 0

    def plus(self, other: "Size") -> "Size":
        """Give both together."""
        return Size(self.events + other.events, self.bytes + other.bytes, self.tokens + other.tokens)

    def minus(self, other: "Size") -> "Size":
        """Give what is left without the other."""
        return Size(self.events - other.events, self.bytes - other.bytes, self.tokens - other.tokens)


def guessed_tokens(conversation: Iterable[Turn], most: int) -> int:
    """Guess what the model reads of a conversation before anything is tokenized."""
    contents = [turn.content for turn in conversation]
    size_bytes = sum(len(text) if text.isascii() else len(text.encode(errors="replace")) for text in contents)
    return min(size_bytes // BYTES_PER_TOKEN + TEMPLATE_TOKENS * (len(contents) + 1), most)


def _total(sizes: Iterable[Size]) -> Size:
    return Size(*map(sum, zip(*sizes, strict=True)))


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
