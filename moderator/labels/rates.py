"""Shares of labelled events, with their uncertainty; too few labels give no number at all."""

import math
from dataclasses import dataclass

LEAST_LABELS = 30
_Z = 1.959963984540054
"""The normal distribution's 97.5% quantile: intervals hold with 95%."""


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `of`, however few."""

    count: int
    of: int

    @property
    def is_enough(self) -> bool:
        """Whether there are so many that the share may be shown."""
        return self.of >= LEAST_LABELS

    @property
    def share(self) -> float | None:
        """From 0 to 1; None without labels."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of its 95% interval; None without labels."""
        return wilson(self.count, self.of) if self.of else None


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` of `of`; the share and the ends of its 95% interval, 0 to 1, None for fewer than 30."""

    count: int
    of: int
    share: float | None
    low: float | None
    high: float | None


def rate(count: int, of: int) -> Rate:
    """Give the share of `count` in `of` >= `count` with its Wilson interval."""
    if of < LEAST_LABELS:
        return Rate(count, of, None, None, None)
    low, high = wilson(count, of)
    return Rate(count, of, count / of, low, high)


def wilson(count: int, of: int) -> tuple[float, float]:
    """Give the 95% interval for `count` of `of` > 0.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    share, spread = count / of, _Z * _Z / of
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
