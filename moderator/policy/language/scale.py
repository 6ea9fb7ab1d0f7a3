"""Exact numbers: rewards as whole millionths, limits as fractions, scores on a human scale.

A reward is rounded once, half to even, to 6 decimals and kept as an integer; every comparison is between integers.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

MILLION = 1_000_000
MAX_REWARD = 1_000
"""A reward beyond plus or minus this is implausible."""
MAX_MICRO = MAX_REWARD * MILLION
MAX_FACT = 1_000_000_000
"""A fact beyond plus or minus this is implausible."""
MAX_FACT_MICRO = MAX_FACT * MILLION

_DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,24})?")
SAFELY_OFF_A_TIE = 0.49


@dataclass(frozen=True, slots=True)
class Scale:
    """How a reward becomes a score: reward x multiply + add; scores are from `low` to `high`, None: anywhere."""

    multiply: Fraction = Fraction(1)
    add: Fraction = Fraction(0)
    low: Fraction | None = None
    high: Fraction | None = None
    unit: str | None = None

    @property
    def is_reversed(self) -> bool:
        """Whether higher rewards are lower scores."""
        return self.multiply < 0

    def micro_of(self, score: Fraction) -> Fraction:
        """Turn a score into millionths of a reward, exactly."""
        return (score - self.add) / self.multiply * MILLION

    def score_of(self, micro: int) -> Fraction:
        """Turn millionths of a reward into a score, exactly."""
        return Fraction(micro, MILLION) * self.multiply + self.add

    def score_micro(self, micro: int) -> int:
        """Turn millionths of a reward into millionths of a score, rounded half to even."""
        return round(micro * self.multiply + self.add * MILLION)


def micro_from(reward: float) -> int:
    """Round a finite reward within plus or minus `MAX_REWARD` + 1 to whole millionths, half to even."""
    scaled = reward * MILLION
    nearest = round(scaled)
    if -SAFELY_OFF_A_TIE < scaled - nearest < SAFELY_OFF_A_TIE:
        return nearest
    # The product above was itself rounded; near a tie only the exact value of the double decides.
    return round(Fraction(reward) * MILLION)


def parse_decimal(text: str) -> Fraction | None:
    """Read plain decimal with a digit before the point; None for anything else."""
    return Fraction(text) if _DECIMAL.fullmatch(text) else None


def fits_six_decimals(number: Fraction) -> bool:
    """Whether the number is a whole count of millionths."""
    return MILLION % number.denominator == 0


def show(number: Fraction) -> str:
    """Write a decimal as people do: no trailing zeros, at most 6 decimals."""
    text = f"{round(number * MILLION) / MILLION:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
