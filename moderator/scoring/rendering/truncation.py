"""What remains of a conversation that is too long; pure."""


def first_turn(lengths: list[int], *, offset: int, anchor: int, room: int) -> int:
    """Choose the first turn to keep: the index divisible by the largest power of two that drops at most a quarter more.

    A conversation that grows by a turn then usually begins where it began before, so its rendering keeps its prefix.
    The turn before the judged one is dropped only if it does not fit.

    Args:
        lengths: tokens of each turn.
        offset: index in the conversation of the first of them.
        anchor: the last assistant turn; it and the turns after it fit.
        room: most tokens of all turns that are kept.
    """
    first = _oldest_that_fits(lengths, room)
    droppable = room // 4
    last = first
    while last < anchor - 1 and lengths[last] <= droppable:
        droppable -= lengths[last]
        last += 1
    return max(range(first, last + 1), key=lambda at: _roundness(offset + at))


def head_and_tail(token_ids: list[int], room: int) -> list[int]:
    """Remove the middle, so that `room` ids of a longer list remain."""
    tail = room // 2
    return token_ids[: room - tail] + token_ids[len(token_ids) - tail :]


def _oldest_that_fits(lengths: list[int], room: int) -> int:
    first = len(lengths)
    while first > 0 and lengths[first - 1] <= room:
        first -= 1
        room -= lengths[first]
    return first


def _roundness(index: int) -> float:
    """The largest power of two that divides the index."""
    return index & -index if index else float("inf")
