"""Texts to packs: what one forward pass takes, without padding; pure."""

from collections.abc import Sequence

MAX_TEXTS = 1024
"""In one pack; more would not fill the device any better."""


def plan_packs(lengths: Sequence[int], budget_tokens: int, max_texts: int = MAX_TEXTS) -> list[range]:
    """Fill packs in the order given.

    Args:
        lengths: tokens of each of n >= 0 texts.
        budget_tokens: a pack holds no more, except one that holds a single longer text.
        max_texts: a pack holds no more texts.

    Returns:
        Index ranges that follow one another from 0 to n, none empty.
    """
    packs: list[range] = []
    start = tokens = 0
    for index, length in enumerate(lengths):
        if index > start and (tokens + length > budget_tokens or index - start == max_texts):
            packs.append(range(start, index))
            start, tokens = index, 0
        tokens += length
    return [*packs, range(start, len(lengths))] if lengths else packs
