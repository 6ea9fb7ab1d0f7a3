"""The newest of what was added, bounded by number and by bytes."""

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar


class Recorded(Protocol):
    """What a ring holds; it compares by time, and then by the order in which it was read."""

    @property
    def size_bytes(self) -> int:
        """How much memory it takes, about."""
        ...

    def __lt__(self, other: Any, /) -> bool:
        """Check whether it is older."""
        ...


Item = TypeVar("Item", bound=Recorded)


class Ring(Generic[Item]):
    """One thread adds; any thread reads.

    Attributes:
        items: oldest first. It is replaced and never changed, so a reader keeps what it began with.
        dropped: how many were left out or pushed out, as others are newer.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self.items: Sequence[Item] = ()
        self.dropped = 0
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._bytes = 0

    def add(self, new: Sequence[Item]) -> Sequence[Item]:
        """Add items in any order; give those that are not held any more, which may be among the new ones."""
        merged = [*self.items, *new]
        merged.sort()  # nearly sorted, which takes one pass
        self._bytes += sum(item.size_bytes for item in new)
        start = max(0, len(merged) - self._max_items)
        self._bytes -= sum(item.size_bytes for item in merged[:start])
        while self._bytes > self._max_bytes and start < len(merged):
            self._bytes -= merged[start].size_bytes
            start += 1
        self.dropped += start
        self.items = merged[start:]
        return merged[:start]
