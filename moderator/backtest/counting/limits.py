"""Curves as tables: what each limit would flag, its precision and recall, and the distribution of scores."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from moderator.backtest.counting.curves import Curve, Curves
from moderator.backtest.counting.movable_limits import limit_before, limit_of, movable
from moderator.events import Part, Verdict
from moderator.labels.rates import Rate, rate
from moderator.policy import PolicySet
from moderator.policy.language.ast import Condition, Rule
from moderator.policy.language.comparisons import Comparison
from moderator.policy.language.scale import MILLION

_STEPS = 40
_NICE = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500)
_THOUSAND = 1_000
_TAIL = 0.005

Labelled = Counter[Verdict | None]
"""Events by label; None for those without one."""


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit tried, all else being the candidate's.

    Attributes:
        flagged: events that the whole candidate would flag, and their share; None where only labelled ones were tried.
        precision: of the labelled events it would flag, those labelled flag.
        recall: of the events labelled flag, those it would flag.
    """

    limit: float
    flagged: int | None
    flagged_share: float | None
    precision: Rate
    recall: Rate


@dataclass(frozen=True, slots=True)
class Bar:
    """Number of scores from `low` to below `high`; the first and the last bar include all scores beyond."""

    low: float
    high: float
    events: int


@dataclass(frozen=True, slots=True)
class LimitReport:
    """One comparison of a live or shadow rule of the candidate.

    Attributes:
        number: which of the rule's comparisons, from 0.
        baseline_limit, candidate_limit: on the signal's scale; None where the set has no such comparison.
        bars: of the events that the rule applied to, rising.
        rows: by rising limit; the limits of both sets are among them. The rule counts as live.
        is_swept: the rows count all events, not the labelled ones alone.
    """

    rule: str
    number: int
    part: Part
    signal: str
    unit: str | None
    comparison: str
    baseline_limit: float | None
    candidate_limit: float | None
    bars: tuple[Bar, ...]
    rows: tuple[LimitRow, ...]
    is_swept: bool


def limit_reports(baseline: PolicySet, candidate: PolicySet, curves: Curves, model: str) -> tuple[LimitReport, ...]:
    """Give one report for each comparison with at least one score, by rule; percent limits are the `model`'s."""
    return tuple(
        _report(
            rule,
            index,
            condition,
            curve,
            limits=(limit_before(baseline, rule, index, model), limit_of(condition, candidate, model)),
        )
        for rule in sorted(candidate.active_rules, key=lambda rule: rule.id)
        for index, condition in movable(rule)
        if (curve := curves[rule.id, index]).scores
    )


def _report(
    rule: Rule, index: int, condition: Condition, curve: Curve, limits: tuple[Fraction | None, Fraction | None]
) -> LimitReport:
    grid = _grid(condition, curve, [limit for limit in limits if limit is not None])
    tried = sorted({*(Fraction(each, _THOUSAND) for each in grid), *(limit for limit in limits if limit is not None)})
    before, after = (None if limit is None else float(limit) for limit in limits)
    return LimitReport(
        rule=rule.id,
        number=index,
        part=rule.part_of(index),
        signal=condition.signal.name,
        unit=condition.signal.spoken_unit,
        comparison=condition.comparison.words,
        baseline_limit=before,
        candidate_limit=after,
        bars=_bars(curve, grid),
        rows=_rows(tried, condition.comparison, curve),
        is_swept=curve.is_swept,
    )


def _grid(condition: Condition, curve: Curve, limits: list[Fraction]) -> range:
    """Choose at most 40 steps in whole thousandths over the scale, or the range of nearly all scores and limits."""
    low, high = condition.signal.scale.low, condition.signal.scale.high
    if low is None or high is None:
        low, high = _middle(curve.scores)
        low, high = min([low, *limits]), max([high, *limits])
    least, greatest = int(low * _THOUSAND // 1), int(-(-high * _THOUSAND // 1))
    step = _nice_step(max(1, greatest - least))
    first = least // step * step
    return range(first, max(greatest, first + step) + step - 1, step)[: _STEPS + 2]


def _nice_step(width: int) -> int:
    factor = 1
    while True:
        for nice in _NICE:
            if nice * factor * _STEPS >= width:
                return nice * factor
        factor *= _THOUSAND


def _middle(scores: Counter[int]) -> tuple[Fraction, Fraction]:
    """Give the range of all scores but half a percent on each side."""
    keys = sorted(scores)
    sums = list(accumulate(scores[key] for key in keys))
    low = next(key for key, total in zip(keys, sums, strict=True) if total > sums[-1] * _TAIL)
    high = next(key for key, total in zip(keys, sums, strict=True) if total >= sums[-1] * (1 - _TAIL))
    return Fraction(low, _THOUSAND), Fraction(high, _THOUSAND)


def _bars(curve: Curve, grid: range) -> tuple[Bar, ...]:
    last = len(grid) - 2
    counts: Counter[int] = Counter()
    for score, events in curve.scores.items():
        counts[min(max((score - grid[0]) // grid.step, 0), last)] += events
    edges = [each / _THOUSAND for each in grid]
    return tuple(Bar(edges[bar], edges[bar + 1], counts[bar]) for bar in range(last + 1))


def _rows(limits: list[Fraction], comparison: Comparison, curve: Curve) -> tuple[LimitRow, ...]:
    every = _every(curve)
    return tuple(_row(limit, _flagged(limit, comparison, curve), every, is_swept=curve.is_swept) for limit in limits)


def _row(limit: Fraction, flagged: Labelled, every: Labelled, *, is_swept: bool) -> LimitRow:
    count, labelled = flagged.total(), flagged["flag"] + flagged["allow"]
    return LimitRow(
        limit=float(limit),
        flagged=count if is_swept else None,
        flagged_share=count / every.total() if is_swept else None,
        precision=rate(flagged["flag"], labelled),
        recall=rate(flagged["flag"], every["flag"]),
    )


def _flagged(limit: Fraction, comparison: Comparison, curve: Curve) -> Labelled:
    flagged: Labelled = Counter()
    for (verdict, label), events in curve.settled.items():
        flagged[label] += events if verdict == "flag" else 0
    for label, events in _decided(curve, limit, comparison):
        flagged[label] += events
    return flagged


def _decided(curve: Curve, limit: Fraction, comparison: Comparison) -> Iterator[tuple[Verdict | None, int]]:
    # whole numbers are compared some ten times as fast as fractions
    least, greatest = comparison.bounds(limit * MILLION, is_reversed=False)
    for flags_when, cells in ((True, curve.when_holding), (False, curve.when_failing)):
        for (score, label), events in cells.items():
            if (least <= score <= greatest) is flags_when:
                yield label, events


def _every(curve: Curve) -> Labelled:
    every: Labelled = Counter()
    for (_, label), events in (*curve.settled.items(), *curve.when_holding.items(), *curve.when_failing.items()):
        every[label] += events
    return every
