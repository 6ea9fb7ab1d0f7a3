"""By how much a limit is nudged, and how far beside it tests stand."""

from fractions import Fraction

from moderator.policy.model import Signal
from moderator.policy.scale import fits_six_decimals

STEPS_A_SCALE = 100


def nudge_of(signal: Signal) -> Fraction:
    """Give a hundredth of the signal's scale; 0.01 where there is none, or where it would have too many decimals."""
    scale = signal.scale
    if scale.low is None or scale.high is None:
        return Fraction(1, STEPS_A_SCALE)
    step = (scale.high - scale.low) / STEPS_A_SCALE
    return step if fits_six_decimals(step) else Fraction(1, STEPS_A_SCALE)
