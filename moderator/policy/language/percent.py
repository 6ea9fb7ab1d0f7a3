"""Percent phrases beside a calibration: which rewards they hold for, and how many events that really is."""

from bisect import bisect_left, bisect_right
from fractions import Fraction

from moderator.policy.language.ast import Calibration, Condition, Signal
from moderator.policy.language.scale import MAX_MICRO

_STEPS = 1_000


def quantiles_of(signal: Signal, calibration: Calibration) -> tuple[int, ...] | None:
    """Give q[0..1000] of the signal's reward in whole millionths, rising; None when the calibration lacks the signal.

    A derived signal that is no longer the reward that was measured is lacking too.
    """
    if not signal.members:
        return calibration.quantiles.get(signal.objective)
    derived = calibration.derived.get(signal.name)
    if derived is None or (derived.pick, derived.objectives) != (signal.reward_pick, frozenset(signal.objectives)):
        return None
    return derived.quantiles


def limit_micro(condition: Condition, calibration: Calibration) -> int | None:
    """Give the score at which a percent phrase begins to hold, in whole millionths; None for want of quantiles."""
    quantile = _quantile(condition, calibration)
    return None if quantile is None else condition.signal.scale.score_micro(quantile)


def percent_bounds(condition: Condition, calibration: Calibration) -> tuple[int, int] | None:
    """Give least and greatest whole millionths of a reward for which a percent phrase holds."""
    quantile = _quantile(condition, calibration)
    if quantile is None:
        return None
    return (-MAX_MICRO, quantile) if _is_low_end(condition) else (quantile, MAX_MICRO)


def bounds_beside(condition: Condition, calibration: Calibration | None) -> tuple[int, int] | None:
    """Give the bounds of any comparison; None for a percent phrase that has no quantiles beside it."""
    if condition.percent is None:
        return condition.bounds
    return None if calibration is None else percent_bounds(condition, calibration)


def true_percent(condition: Condition, calibration: Calibration) -> Fraction | None:
    """Give the percentage of calibrated events that a percent phrase catches, ties included, to one decimal."""
    quantile, quantiles = _quantile(condition, calibration), quantiles_of(condition.signal, calibration)
    if quantile is None or quantiles is None:
        return None
    if _is_low_end(condition):
        return Fraction(bisect_right(quantiles, quantile) - 1, 10)
    return Fraction(_STEPS - bisect_left(quantiles, quantile), 10)


def typical_micro(signal: Signal, calibration: Calibration) -> int | None:
    """Give the median reward of a signal that is read from an objective, in whole millionths."""
    rewards = calibration.quantiles.get(signal.objective)
    return None if rewards is None else rewards[_STEPS // 2]


def _quantile(condition: Condition, calibration: Calibration) -> int | None:
    quantiles = quantiles_of(condition.signal, calibration)
    if quantiles is None or condition.percent is None:
        return None
    rank = int(condition.percent * 10)
    return quantiles[rank if _is_low_end(condition) else _STEPS - rank]


def _is_low_end(condition: Condition) -> bool:
    """Whether the phrase holds at the low end of the rewards: a scale may turn the ends round."""
    is_turned = condition.signal.scale.multiply < 0
    return (condition.comparison == "in the lowest") != is_turned
