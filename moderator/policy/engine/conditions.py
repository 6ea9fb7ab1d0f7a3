"""Conditions compiled into comparisons of whole numbers, for the hot path."""

from collections.abc import Iterable, Sequence

from moderator.events import ConditionResult, Part
from moderator.policy.engine.logic import Held
from moderator.policy.engine.readings import Reading, noise_of
from moderator.policy.language.ast import Calibration, Condition
from moderator.policy.language.bounds import bounds_of, score_limit
from moderator.policy.language.comparisons import Bounds
from moderator.policy.language.scale import MILLION

CompiledCondition = tuple[ConditionResult, int, int, int, int | None, int, int]
"""One comparison; all limits in whole millionths. A plain tuple: unpacking a named one takes several times as long.

- its result with all that is known in advance: copying it is faster than building it;
- the position of the signal's reading;
- the least and the greatest reward for which it holds;
- the score from which the margin counts; None for a comparison without a limit;
- 1 where it holds for scores above that, -1 where it holds for scores below;
- how far apart one text's scores may be; 0, which makes nothing borderline, where that is not known.
"""


def evaluate(
    conditions: Iterable[CompiledCondition], readings: Sequence[Reading]
) -> tuple[list[ConditionResult], list[Held]]:
    """Evaluate every condition; give the results and, once more by themselves, the verdicts, in the order given."""
    results: list[ConditionResult] = []
    verdicts: list[Held] = []
    for template, place, least, greatest, edge, sign, noise in conditions:
        micro, score_micro, score, cause = readings[place]
        result = template.copy()
        results.append(result)
        if micro is None:
            result["holds"] = held = True if edge is None else None
            verdicts.append(held)
            if edge is not None and cause is not None:
                result["cause"] = cause
            continue
        result["score"] = score
        if least <= micro <= greatest:
            result["holds"] = True
            verdicts.append(True)
        else:
            verdicts.append(False)
        if edge is not None:
            distance = (score_micro - edge) * sign
            result["margin"] = distance / MILLION
            if noise and -noise <= distance <= noise:
                result["borderline"] = True
    return results, verdicts


def never_known(condition: CompiledCondition) -> CompiledCondition:
    """Give a condition on a score for events without any: `missing` is unknown there like every comparison."""
    template, place, least, greatest, _, sign, noise = condition
    return template, place, least, greatest, 0, sign, noise


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
    least, greatest = _within(signal.greatest_micro + 1, bounds)
    if limit is None:
        return template, place, least, greatest, None, 0, 0
    sign = -1 if comparison.holds_below else 1
    return template, place, least, greatest, int(limit * MILLION), sign, noise_of(signal, calibration)


def _within(beyond: int, bounds: Bounds) -> Bounds:
    """Bring bounds down to what no reward of their signal reaches: comparisons with long numbers are slow."""
    least, greatest = bounds
    return min(max(least, -beyond), beyond), min(max(greatest, -beyond), beyond)
