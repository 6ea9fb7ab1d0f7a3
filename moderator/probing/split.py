"""Which labelled rows are learned from and which are held out: by hash, so that the same file splits the same way."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from moderator.evaluation.labelled import LabelledEvent

_HELD_OUT: Final = 0.2

Truths = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Split:
    """Two kinds of n rows; what is neither is left out.

    Attributes:
        learned: (n,), learned from.
        held_out: (n,), measured on.
        repeated: how many rows are left out because their text is held out in another conversation.
        places: (n,), 0 to 1, the same for rows of one conversation: in what order a share of rows is taken, and in
            which fold each is.
    """

    learned: Truths
    held_out: Truths
    repeated: int
    places: NDArray[np.float64]


def split(rows: Sequence[LabelledEvent], seed: int) -> Split:
    """Hold a fifth out: whole conversations, else texts; a text that is held out is learned from nowhere."""
    held_out = np.array([_place(f"held out {seed}", row.unit) < _HELD_OUT for row in rows], dtype=np.bool_)
    texts = {row.text for row, is_out in zip(rows, held_out, strict=True) if is_out}
    repeated = np.array([row.text in texts for row in rows], dtype=np.bool_) & ~held_out
    places = np.array([_place(f"learned {seed}", row.unit) for row in rows])
    return Split(~held_out & ~repeated, held_out, int(repeated.sum()), places)


def _place(purpose: str, unit: str) -> float:
    """Give a number from 0 to below 1 by hash."""
    digest = hashlib.sha256(f"{purpose}\n{unit}".encode(errors="replace")).digest()
    return int.from_bytes(digest[:6]) / 2**48
