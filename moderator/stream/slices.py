"""Long work in slices of some milliseconds, so that threads in a hurry go first between them."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def in_slices(items: Sequence[Item], size: int, give_way: Callable[[], object]) -> Iterator[Item]:
    """Give each item in turn, and call `give_way` before the first of every `size` items."""
    for start in range(0, len(items), size):
        give_way()
        yield from items[start : start + size]
