"""Conditions compiled into comparisons of whole numbers, for the hot path."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from moderator.events import ConditionResult, Part
from moderator.policy.engine.readings import Reading, noise_of
from moderator.policy.language.ast import Calibration, Condition
from moderator.policy.language.bounds import bounds_of, score_limit
from moderator.policy.language.scale import MILLION


class CompiledCondition(NamedTuple):
    """One comparison; all limits in whole millionths.

    Attributes:
        template: its result with all that is known in advance; copying it is faster than building it.
        place: position of the signal's reading.
        least, greatest: rewards for which it holds.
        edge: the score from which the margin counts; None for a comparison without a limit.
        sign: 1 where it holds for scores above the edge, -1 where it holds for scores below.
        noise: how far apart one text's scores may be; 0, which makes nothing borderline, where that is not known.
    """

    template: ConditionResult
    place: int
    least: int
    greatest: int
    edge: int | None
    sign: int
    noise: int


def evaluate(conditions: Iterable[CompiledCondition], readings: Sequence[Reading]) -> list[ConditionResult]:
    """Evaluate every condition, in the order given."""
    results = []
    for template, place, least, greatest, edge, sign, noise in conditions:
        micro, score_micro, score, cause = readings[place]
        result = template.copy()
        results.append(result)
        if micro is None:
            result["holds"] = True if edge is None else None
            if edge is not None and cause is not None:
                result["cause"] = cause
            continue
        result["score"] = score
        if least <= micro <= greatest:
            result["holds"] = True
        if edge is not None:
            distance = (score_micro - edge) * sign
            result["margin"] = distance / MILLION
            if noise and -noise <= distance <= noise:
                result["borderline"] = True
    return results


def never_known(condition: CompiledCondition) -> CompiledCondition:
    """Give a condition on a score for events without any: `missing` is unknown there like every comparison."""
    return condition._replace(edge=0)


def compile_condition(
    condition: Condition, part: Part, place: int, calibration: Calibration | None
) -> CompiledCondition:
    """Compile one comparison; `place` is the position of its signal's reading."""
    template: ConditionResult = {
        "part": part,
        "signal": condition.signal.name,
        "phrase": condition.phrase,
        "score": None,
        "holds": False,
        "margin": None,
        "borderline": False,
    }
    comparison, signal = condition.comparison, condition.signal
    bounds, limit = bounds_of(condition, calibration), score_limit(condition, calibration)
    # INVARIANT: a percent phrase without its quantiles is refused when the folder and the model are checked.
    assert bounds is not None, "a percent phrase without its quantiles"
    if limit is None:
        return CompiledCondition(template, place, *bounds, None, 0, 0)
    sign = -1 if comparison.holds_below else 1
    return CompiledCondition(template, place, *bounds, int(limit * MILLION), sign, noise_of(signal, calibration))
