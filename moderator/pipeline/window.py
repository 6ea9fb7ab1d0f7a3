"""Collect polled records into windows; pure.

A window is one contiguous range of offsets for each owned partition. Windows leave in the order they came, so
publishing one commits its end and no offset tracker is needed.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final, NamedTuple

from moderator.events import (
    ChatEvent,
    DeadLetter,
    EventReading,
    ModelIdentity,
    Partition,
    PartitionSpan,
    Record,
    Scores,
    Turn,
    Unscored,
)
from moderator.settings import WindowSettings

SUSPECTS_AT_ONCE: Final = 64
"""Of events that may have ended a process, so many are scored together; once no more are left, each alone."""
_NO_SUSPECTS: Final[Mapping[Partition, int]] = {}
BYTES_PER_TOKEN = 4
CONTEXT_SHARE = 4
PASSAGE_OVERLAP = 8
"""What of the input the turns before a passage take at most, and of a passage its overlap: one part in so many."""
TEMPLATE_TOKENS = 8
"""What a chat template adds to each turn, and once to the conversation."""


class ScoredEvent(NamedTuple):
    """What the model gave for one event, now or earlier.

    Attributes:
        scores: of each passage that was read.
        cached: the scores were computed earlier.
    """

    scores: tuple[Scores, ...] | Unscored
    reading: EventReading
    cached: bool


@dataclass(slots=True)
class Entry:
    """One record on its way through a window. Not frozen: the scoring thread fills `scored` in.

    Attributes:
        event: what was read from the record.
        polled_at_s: monotonic seconds.
        scored: None until the window is scored, and where `event` is a dead letter; a dead letter for an event whose
            scoring always crashes.
    """

    record: Record
    event: ChatEvent | DeadLetter
    polled_at_s: float
    scored: ScoredEvent | DeadLetter | None = None


Span = PartitionSpan[Entry]


class WindowBuffer:
    """What was polled and is not yet in a window, in the order it came.

    Args:
        limits: what a window may hold; the entry that reaches a limit is the last one taken.
        model: an event never costs more tokens than it reads.

    Attributes:
        max_tokens: estimated tokens of a window; may be changed at any time.
    """

    def __init__(self, limits: WindowSettings, model: ModelIdentity) -> None:
        self.max_tokens = limits.max_tokens
        self._limits = limits
        self._model = model
        self._waiting: deque[tuple[Span, list[Size]]] = deque()
        self._size = Size()

    def __bool__(self) -> bool:
        """Check whether anything is waiting."""
        return bool(self._waiting)

    @property
    def spans(self) -> list[Span]:
        """What waits, in order."""
        return [span for span, _ in self._waiting]

    @property
    def is_full(self) -> bool:
        """A complete window is waiting: poll no further."""
        return self._is_complete(self._size)

    def add(self, span: Span) -> None:
        """Append what one poll gave of one partition; entries from an earlier assignment of it are dropped."""
        if any(_is_outdated(old, span) for old, _ in self._waiting):
            self._waiting = deque(waiting for waiting in self._waiting if waiting[0].partition != span.partition)
            self._size = _total(size for _, sizes in self._waiting for size in sizes)
        sizes = [self._size_of(entry) for entry in span.items]
        self._waiting.append((span, sizes))
        self._size = self._size.plus(_total(sizes))

    def take(self, suspects: Mapping[Partition, int] = _NO_SUSPECTS) -> list[Span]:
        """Remove the next window from the front: one span for each partition; empty when nothing waits.

        Args:
            suspects: how many of the next events of each partition may have ended a process. They share no window with
                others: at most 64 of one partition, and one alone once no more than 64 are left.
        """
        if self._waiting and (left := suspects.get(self._waiting[0][0].partition)):
            span, taken = self._take_first(Size(), SUSPECTS_AT_ONCE if left > SUSPECTS_AT_ONCE else 1)
            self._size = self._size.minus(taken)
            return [span]
        pieces: list[Span] = []
        passed: list[tuple[Span, list[Size]]] = []
        taken = Size()
        while self._waiting and not self._is_complete(taken):
            if self._waiting[0][0].partition in suspects:
                passed.append(self._waiting.popleft())
                continue
            span, taken = self._take_first(taken)
            pieces.append(span)
        self._waiting.extendleft(reversed(passed))
        self._size = self._size.minus(taken)
        return _joined(pieces)

    def _take_first(self, taken: "Size", most_events: int | None = None) -> tuple[Span, "Size"]:
        """Remove of the first span what fits; also give all that is taken then."""
        span, sizes = self._waiting.popleft()
        most = len(sizes) if most_events is None else min(most_events, len(sizes))
        count = 0
        while count < most and not self._is_complete(taken):
            taken = taken.plus(sizes[count])
            count += 1
        if count < len(sizes):
            self._waiting.appendleft((_after(span, count), sizes[count:]))
        return _before(span, count), taken

    def clear(self) -> None:
        """Drop everything; nothing of it was committed, so it will be polled again."""
        self._waiting.clear()
        self._size = Size()

    def _is_complete(self, size: "Size") -> bool:
        limits = self._limits
        return size.events >= limits.max_events or size.bytes >= limits.max_bytes or size.tokens >= self.max_tokens

    def _size_of(self, entry: Entry) -> "Size":
        event = entry.event
        tokens = estimated_tokens(event.conversation, self._model) if isinstance(event, ChatEvent) else 0
        return Size(1, len(entry.record.value or b""), tokens)


class Size(NamedTuple):
    """Events, their records' bytes, and estimated tokens."""

    events: int = 0
    bytes: int = 0
    tokens: int = 0

    def plus(self, other: "Size") -> "Size":
        """Add the two."""
        return Size(self.events + other.events, self.bytes + other.bytes, self.tokens + other.tokens)

    def minus(self, other: "Size") -> "Size":
        """Subtract the other."""
        return Size(self.events - other.events, self.bytes - other.bytes, self.tokens - other.tokens)


def estimated_tokens(conversation: Sequence[Turn], model: ModelIdentity) -> int:
    """Estimate how many tokens of a conversation the model reads, before anything is tokenized."""
    *context_bytes, judged_bytes = [_bytes_of(turn.content) for turn in conversation]
    template = TEMPLATE_TOKENS * (len(conversation) + 1)
    most = model.max_input_tokens
    size = min(model.passage_tokens or most, most)
    judged = judged_bytes // BYTES_PER_TOKEN
    if judged <= size or model.max_passages == 1:
        return model.questions * min((sum(context_bytes) + judged_bytes) // BYTES_PER_TOKEN + template, most)
    # passages overlap, and each has the context before it
    passages = min(model.max_passages, ceil(judged / (size - size // PASSAGE_OVERLAP)))
    context = min(sum(context_bytes) // BYTES_PER_TOKEN + template, most // CONTEXT_SHARE)
    return model.questions * passages * min(context + size, most)


def _bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def _total(sizes: Iterable[Size]) -> Size:
    return Size(*map(sum, zip(*sizes, strict=True)))


def _is_outdated(old: Span, new: Span) -> bool:
    return old.partition == new.partition and old.assignment_epoch != new.assignment_epoch


def _before(span: Span, count: int) -> Span:
    """Give the first `count` entries; the next offset to read is then that of the first one left behind."""
    if count == len(span.items):
        return span
    after = span.items[count].record
    return replace(span, next_offset=after.offset, items=span.items[:count], leader_epoch=after.leader_epoch)


def _after(span: Span, count: int) -> Span:
    return replace(span, items=span.items[count:])


def _joined(pieces: list[Span]) -> list[Span]:
    """Join the pieces of each partition, so that a window holds one range of each."""
    joined: dict[Partition, Span] = {}
    for piece in pieces:
        before = joined.get(piece.partition)
        joined[piece.partition] = replace(piece, items=before.items + piece.items) if before else piece
    return list(joined.values())
