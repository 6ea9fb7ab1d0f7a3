"""Percent phrases beside a calibration: which rewards they hold for, and how many events that really is."""

from bisect import bisect_left, bisect_right
from fractions import Fraction

from moderator.policy.model import Calibration, Condition, Signal
from moderator.policy.scale import MAX_MICRO, MILLION, whole_bounds

_STEPS = 1_000


def quantiles_of(signal: Signal, calibration: Calibration) -> tuple[int, ...] | None:
    """Give q[0..1000] of the signal's score in whole millionths, rising; None when the calibration lacks the signal.

    A derived signal that is no longer defined as when it was measured is lacking too.
    """
    if not signal.members:
        rewards = calibration.quantiles.get(signal.objective)
        return None if rewards is None else _on_scale(signal, rewards)
    derived = calibration.derived.get(signal.name)
    names = tuple(member.name for member in signal.members)
    if derived is None or derived.pick != signal.pick or set(derived.members) != set(names):
        return None
    return derived.quantiles


def limit_micro(condition: Condition, calibration: Calibration) -> int | None:
    """Give the score at which a percent phrase begins to hold, in whole millionths; None for want of quantiles."""
    assert condition.percent is not None
    quantiles = quantiles_of(condition.signal, calibration)
    if quantiles is None:
        return None
    rank = int(condition.percent * 10)
    return quantiles[rank if condition.comparison == "in the lowest" else _STEPS - rank]


def percent_bounds(condition: Condition, calibration: Calibration) -> tuple[int, int] | None:
    """Give least and greatest whole millionths of a reward for which a percent phrase holds."""
    limit = limit_micro(condition, calibration)
    if limit is None or condition.percent is None:
        return None
    signal, is_lowest = condition.signal, condition.comparison == "in the lowest"
    if signal.members:
        return whole_bounds(signal.scale, "at most" if is_lowest else "at least", Fraction(limit, MILLION))
    # Straight from the rewards: a score may have been rounded.
    rewards, rank = calibration.quantiles[signal.objective], int(condition.percent * 10)
    if is_lowest == (signal.scale.multiply > 0):
        return -MAX_MICRO, rewards[rank]
    return rewards[_STEPS - rank], MAX_MICRO


def bounds_beside(condition: Condition, calibration: Calibration | None) -> tuple[int, int] | None:
    """Give the bounds of any comparison; None for a percent phrase that has no quantiles beside it."""
    if condition.percent is None:
        return condition.bounds
    return None if calibration is None else percent_bounds(condition, calibration)


def true_percent(condition: Condition, calibration: Calibration) -> Fraction | None:
    """Give the percentage of calibrated events that a percent phrase catches, ties included, to one decimal."""
    limit = limit_micro(condition, calibration)
    quantiles = quantiles_of(condition.signal, calibration)
    if limit is None or quantiles is None:
        return None
    if condition.comparison == "in the lowest":
        return Fraction(bisect_right(quantiles, limit) - 1, 10)
    return Fraction(_STEPS - bisect_left(quantiles, limit), 10)


def typical_micro(signal: Signal, calibration: Calibration) -> int | None:
    """Give the median reward of a signal that is read from an objective, in whole millionths."""
    rewards = calibration.quantiles.get(signal.objective)
    return None if rewards is None else rewards[_STEPS // 2]


def _on_scale(signal: Signal, rewards: tuple[int, ...]) -> tuple[int, ...]:
    scores = tuple(signal.scale.score_micro(reward) for reward in rewards)
    return scores if signal.scale.multiply > 0 else scores[::-1]
