"""The comparisons of the language, and what their words alone say."""

from typing import Literal

Comparison = Literal["below", "at most", "at least", "above", "in the lowest", "in the highest", "missing"]

LOW_END: tuple[Comparison, ...] = ("below", "at most", "in the lowest")
"""They hold for scores on the low side of their limit; so do `HIGH_END` for those on the high side."""
HIGH_END: tuple[Comparison, ...] = ("above", "at least", "in the highest")
STRICT: tuple[Comparison, ...] = ("below", "above")
"""They do not hold at their limit."""
OPPOSITE: dict[Comparison, Comparison] = {
    "below": "above",
    "above": "below",
    "at most": "at least",
    "at least": "at most",
    "in the lowest": "in the highest",
    "in the highest": "in the lowest",
}
"""The same of the other end."""
