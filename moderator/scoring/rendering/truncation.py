"""What stays of a conversation that is too long; pure."""


def first_turn(lengths: list[int], *, offset: int, anchor: int, room: int) -> int:
    """Choose the turn to begin with: the roundest index that drops at most a quarter more than it must.

    A conversation that grows by a turn then mostly begins where it began before, so its rendering has the same prefix.
    The turn before the judged one is dropped only where it must be.

    Args:
        lengths: tokens of each turn.
        offset: index in the conversation of the first of them.
        anchor: the last assistant turn; it and what follows fit.
        room: tokens for all turns kept.
    """
    first = _oldest_that_fits(lengths, room)
    spare = room // 4
    last = first
    while last < anchor - 1 and lengths[last] <= spare:
        spare -= lengths[last]
        last += 1
    return max(range(first, last + 1), key=lambda at: _roundness(offset + at))


def head_and_tail(token_ids: list[int], room: int) -> list[int]:
    """Leave out the middle, so that `room` ids stay of a longer list."""
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
