"""Where a message that is too long to be read at once is divided into overlapping passages; pure.

Positions are counted in tokens; a border is the place before a token, or after the last one.
"""

from collections.abc import Iterator, Sequence
from typing import Final

Stretch = tuple[int, int]
"""Where a part of a text begins and ends."""

_OVERLAP: Final = 8
"""Each passage shares with the next one this part of its tokens."""
_REACH: Final = 4
"""A border moves to white space within this part of a passage."""


def borders_of(spans: Sequence[Stretch], end: int) -> list[int]:
    """Return the place in a text of each border of n of its tokens: n + 1 places, none decreasing.

    Args:
        spans: where each token begins and ends.
        end: of the text that has no more tokens after them.
    """
    return [*(start for start, _ in spans), end]


def at_space(text: str, borders: Sequence[int]) -> list[bool]:
    """Say of each border whether it is beside white space, or at an end of the text."""
    return [border in (0, len(text)) or text[border - 1].isspace() or text[border].isspace() for border in borders]


def from_beginning(is_space: Sequence[bool], size: int, most: int) -> list[Stretch]:
    """Lay passages of at most `size` tokens from the first token on: as many as are needed, but `most` at most.

    Each overlaps the one before by an eighth of `size` or more. A border moves back to the nearest white space within a
    quarter of `size`. A passage that reaches the last token is as long as the others.

    Args:
        is_space: of each border of n tokens, whether it is at white space.
        size: 1 or more.
        most: 1 or more.
    """
    return list(_laid(is_space, size, most))


def from_end(is_space: Sequence[bool], size: int, most: int) -> list[Stretch]:
    """Lay passages backwards from the last token, as `from_beginning` does forwards; return them in rising order."""
    tokens = len(is_space) - 1
    return [(tokens - end, tokens - start) for start, end in _laid(is_space[::-1], size, most)][::-1]


def _laid(is_space: Sequence[bool], size: int, most: int) -> Iterator[Stretch]:
    tokens = len(is_space) - 1
    start = 0
    for _ in range(most):
        if start + size >= tokens:
            yield _first_space(is_space, max(0, tokens - size), start, size // _REACH), tokens
            return
        end = _last_space(is_space, start + size, size // _REACH)
        yield start, end
        start = _last_space(is_space, end - size // _OVERLAP, size // _REACH)


def _last_space(is_space: Sequence[bool], at: int, reach: int) -> int:
    return next((border for border in range(at, at - reach, -1) if is_space[border]), at)


def _first_space(is_space: Sequence[bool], at: int, latest: int, reach: int) -> int:
    return next((border for border in range(at, min(latest, at + reach) + 1) if is_space[border]), at)
