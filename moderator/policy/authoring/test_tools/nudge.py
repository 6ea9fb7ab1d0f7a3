"""By how much a mutant moves a limit, and how far from the limit suggested tests are."""

import math
from fractions import Fraction

from moderator.policy.language.ast import Calibration, Condition, Signal
from moderator.policy.language.bounds import score_limit
from moderator.policy.language.scale import MILLION, fits_six_decimals

STEPS_A_SCALE = 100


def nudge_of(signal: Signal, limit: Fraction) -> Fraction:
    """Give a hundredth of the signal's scale; 0.01 where there is none, or where it would have too many decimals.

    For a fact whose scale has no end, the last digit of the limit counts: 1 for 24 hours.
    """
    scale = signal.scale
    if scale.low is None or scale.high is None:
        return Fraction(1, STEPS_A_SCALE) if signal.kind == "score" else _last_digit(limit)
    step = (scale.high - scale.low) / STEPS_A_SCALE
    return step if fits_six_decimals(step) else Fraction(1, STEPS_A_SCALE)


def _last_digit(number: Fraction) -> Fraction:
    """Give the place of the last digit before or behind the point that is not 0, at most 1."""
    return next(Fraction(1, 10**places) for places in range(7) if (number * 10**places).denominator == 1)


def limit_and_step(condition: Condition, calibration: Calibration | None) -> tuple[Fraction, Fraction] | None:
    """Give a comparison's limit and the distance of tests from it, as scores; None where it has no limit.

    With a calibration, a percent phrase has the score at which it begins to hold, and steps to the next reward.
    """
    limit = score_limit(condition, calibration)
    if limit is None:
        return None
    if condition.limit is not None:
        return limit, nudge_of(condition.signal, limit)
    return limit, Fraction(max(1, math.ceil(abs(condition.signal.scale.multiply))), MILLION)
