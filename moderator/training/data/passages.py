"""Parts of long texts, about as long as what the model reads at once."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from moderator.events import Turn
from moderator.training.data.rows import Row

WORDS: Final = 48


def passages(rows: Iterable[Row]) -> Iterator[Row]:
    """Cut each judged text of more than 64 words into parts of 48 words.

    They have no labels: a part of a harmful text may be harmless.
    """
    for row in rows:
        *before, judged = row.conversation
        words = judged.content.split()
        if len(words) > WORDS + WORDS // 3:
            for start in range(0, len(words), WORDS):
                part = " ".join(words[start : start + WORDS])
                yield replace(row, conversation=(*before, Turn(judged.role, part)), labels={}, weight=1.0)
