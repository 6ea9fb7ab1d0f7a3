"""Where conditions hold: limits and bounds by the signal's scale, those of percent phrases by a calibration."""

from bisect import bisect_left, bisect_right
from fractions import Fraction

from moderator.policy.language.ast import Calibration, Condition, Signal
from moderator.policy.language.comparisons import NO_REWARD, Bounds
from moderator.policy.language.scale import MILLION

LEAST_PERCENT, GREATEST_PERCENT = Fraction(1, 10), Fraction(50)
"""What percent phrases take, in steps of 0.1."""

_STEPS = 1_000
_TENTH = 100


def bounds_of(condition: Condition, calibration: Calibration | None) -> Bounds | None:
    """Give the rewards for which a condition holds; None for a percent phrase whose quantiles are not there."""
    if not condition.comparison.has_limit:
        return NO_REWARD
    limit = _reward_limit(condition, calibration)
    return None if limit is None else condition.comparison.bounds(limit, is_reversed=condition.signal.scale.is_reversed)


def score_limit(condition: Condition, calibration: Calibration | None) -> Fraction | None:
    """Give a condition's limit as a score; that of a percent phrase is rounded to whole millionths.

    None for a percent phrase whose quantiles are not there, and for a condition without a limit.
    """
    if condition.limit is not None:
        return condition.limit
    quantile = _quantile(condition, calibration)
    return None if quantile is None else Fraction(condition.signal.scale.score_micro(quantile), MILLION)


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


def true_percent(condition: Condition, calibration: Calibration) -> Fraction | None:
    """Give the percentage of calibrated events that a percent phrase catches, ties included, to one decimal."""
    quantile, quantiles = _quantile(condition, calibration), quantiles_of(condition.signal, calibration)
    if quantile is None or quantiles is None:
        return None
    if _holds_for_low_rewards(condition):
        return Fraction(bisect_right(quantiles, quantile) - 1, 10)
    return Fraction(_STEPS - bisect_left(quantiles, quantile), 10)


def score_cuts(signal: Signal, calibration: Calibration) -> tuple[float, ...] | None:
    """Give the nine scores between ten parts that hold equally many calibrated events; None as `quantiles_of`."""
    quantiles = quantiles_of(signal, calibration)
    if quantiles is None:
        return None
    return tuple(sorted(signal.scale.score_micro(each) / MILLION for each in quantiles[_TENTH:-1:_TENTH]))


def typical_micro(signal: Signal, calibration: Calibration) -> int | None:
    """Give the median reward of a signal that is read from an objective, in whole millionths."""
    rewards = calibration.quantiles.get(signal.objective)
    return None if rewards is None else rewards[_STEPS // 2]


def _reward_limit(condition: Condition, calibration: Calibration | None) -> Fraction | None:
    """Give the limit in millionths of a reward."""
    if condition.limit is not None:
        return condition.signal.scale.micro_of(condition.limit)
    quantile = _quantile(condition, calibration)
    return None if quantile is None else Fraction(quantile)


def _quantile(condition: Condition, calibration: Calibration | None) -> int | None:
    if condition.percent is None or calibration is None:
        return None
    quantiles = quantiles_of(condition.signal, calibration)
    rank = int(condition.percent * 10)
    return None if quantiles is None else quantiles[rank if _holds_for_low_rewards(condition) else _STEPS - rank]


def _holds_for_low_rewards(condition: Condition) -> bool:
    return condition.comparison.holds_below != condition.signal.scale.is_reversed
