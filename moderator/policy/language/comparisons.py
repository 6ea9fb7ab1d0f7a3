"""The comparisons of the language. Each is declared here once; all other files ask the declarations.

A comparison is written as a phrase after a signal's name, such as `below 0.30`.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from moderator.policy.language.scale import MAX_FACT_MICRO

Bounds = tuple[int, int]
"""Least and greatest reward in whole millionths, both included; no reward at all when reversed."""
NO_REWARD: Bounds = (MAX_FACT_MICRO + 1, -MAX_FACT_MICRO - 1)

_NUMBER = "{}"
_MIRRORED = str.maketrans("<>", "><")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison.

    Attributes:
        form: how it is written; `{}` is the place of its number.
        takes: a number on the signal's scale, a percentage of events, or nothing.
        relation: of a score to the limit, for which it holds; empty where there is no limit.
    """

    form: str
    takes: Literal["number", "percent", "nothing"]
    relation: Literal["<", "<=", ">=", ">", ""] = ""

    @property
    def words(self) -> str:
        """Its words without the number: `below`, `in the lowest`."""
        return " ".join(self.form.replace(_NUMBER, "").split())

    @property
    def has_limit(self) -> bool:
        """Whether it compares a score to a limit."""
        return self.relation != ""

    @property
    def holds_below(self) -> bool:
        """Whether it holds for scores below its limit and not for those above, or the other way round."""
        return "<" in self.relation

    @property
    def holds_at(self) -> bool:
        """Whether it holds for the limit itself."""
        return "=" in self.relation

    @property
    def opposite(self) -> "Comparison | None":
        """The same comparison from the other end of the scale."""
        return _first(self.takes, self.relation.translate(_MIRRORED))

    @property
    def slip(self) -> "Comparison | None":
        """What is easily written instead: the comparison that differs at the limit alone."""
        return _first(self.takes, self.relation[:1] if self.holds_at else f"{self.relation}=")

    def write(self, number: str) -> str:
        """Write it with a number, which ends in % where it is a percentage."""
        return self.form.replace(_NUMBER, number)

    def number_in(self, phrase: str) -> str | None:
        """Give the text in the place of the number, empty where it takes none; None for another comparison's phrase."""
        before, number, after = self.form.partition(_NUMBER)
        if not number:
            return "" if phrase == self.form else None
        is_longer = len(phrase) > len(before) + len(after)
        if not (is_longer and phrase.startswith(before) and phrase.endswith(after)):
            return None
        return phrase[len(before) : len(phrase) - len(after)]

    def holds(self, score: Fraction | int, limit: Fraction) -> bool:
        """Whether it holds for a score."""
        return self.holds_at if score == limit else (score < limit) == self.holds_below

    def bounds(self, limit: Fraction, *, is_reversed: bool) -> Bounds:
        """Give the rewards for which it holds.

        Args:
            limit: as a reward, in millionths.
            is_reversed: the scale is reversed: higher rewards are lower scores.
        """
        if self.holds_below != is_reversed:
            return -MAX_FACT_MICRO, min(MAX_FACT_MICRO, math.floor(limit) if self.holds_at else math.ceil(limit) - 1)
        return max(-MAX_FACT_MICRO, math.ceil(limit) if self.holds_at else math.floor(limit) + 1), MAX_FACT_MICRO


AT_LEAST = Comparison("at least {}", "number", ">=")
COMPARISONS = (
    Comparison("below {}", "number", "<"),
    Comparison("at most {}", "number", "<="),
    AT_LEAST,
    Comparison("above {}", "number", ">"),
    Comparison("in the lowest {}", "percent", "<="),
    Comparison("in the highest {}", "percent", ">="),
    Comparison("missing", "nothing"),
)
"""In the order in which they are offered. Of two that mean the same, the first is the one to suggest."""


def _first(takes: str, relation: str) -> Comparison | None:
    return next((each for each in COMPARISONS if relation and (each.takes, each.relation) == (takes, relation)), None)
