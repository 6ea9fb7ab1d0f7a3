"""Where a rule can hold at all: regions of scores, within which no comparison changes, as the bits of a number."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import prod
from operator import and_, or_
from typing import NamedTuple

from moderator.events import Part
from moderator.policy.language.ast import Calibration, Condition, Expression, Rule, Signal
from moderator.policy.language.bounds import bounds_of
from moderator.policy.language.comparisons import Bounds
from moderator.policy.language.scale import MAX_MICRO

Regions = int
"""A set of regions: bit n stands for the nth. A region is one range, or absence, of each objective's score."""

_MAX_REGIONS = 20_000
"""Rules with more of them are not analysed."""


@dataclass(frozen=True, slots=True)
class BoundedRule:
    """A rule with the rewards for which its conditions hold, in the order of `Rule.conditions`."""

    rule: Rule
    conditions: Sequence[Condition]
    bounds: Sequence[Bounds]


def with_bounds(rule: Rule, calibration: Calibration | None) -> BoundedRule | None:
    """Give a rule the rewards for which its conditions hold; None when a percent phrase has no calibration for it."""
    bounds = [bounds_of(condition, calibration) for condition in rule.conditions]
    known = [each for each in bounds if each is not None]
    if len(known) < len(bounds):
        return None
    return BoundedRule(rule, rule.conditions, known)


class Truth(NamedTuple):
    """Where an expression is sure to hold, and where it may fail; in all other regions it is unknown or holds."""

    holds: Regions
    fails: Regions


class ScoreRegions:
    """Every combination of the score ranges, or absence, within which no condition of some rules changes."""

    def __init__(self, starts: Mapping[str, Sequence[int]]) -> None:
        """Take, by objective, the least reward of each range."""
        count = prod(len(each) + 1 for each in starts.values())
        self._all: Regions = (1 << count) - 1
        self._axes: dict[str, _Axis] = {}
        stride = 1
        for objective, each in starts.items():
            self._axes[objective] = _axis(each, stride, self._all)
            stride *= len(each) + 1

    def truth(self, rule: BoundedRule) -> Truth:
        """Give where a rule holds and fails, which may name only signals of the rules that the regions are made from.

        What does not hold in all of a region counts as failing there, so nothing unproven is claimed.
        """
        comparisons = zip(rule.conditions, rule.bounds, strict=True)
        when = self._expression(rule.rule.when, comparisons, "when")
        if rule.rule.unless is None:
            return when
        unless = self._expression(rule.rule.unless, comparisons, "unless")
        return Truth(when.holds & unless.fails, when.fails | unless.holds)

    def matches(self, rule: BoundedRule) -> Regions:
        """Give where a rule is sure to match."""
        return self.truth(rule).holds

    def fires(self, rule: BoundedRule) -> Regions:
        """Give where a rule is sure to fire, because it matches or because a score is missing."""
        truth = self.truth(rule)
        return self._all & ~truth.fails if rule.rule.flags_when_missing else truth.holds

    def _expression(self, expression: Expression, comparisons: Iterator[tuple[Condition, Bounds]], part: Part) -> Truth:
        if isinstance(expression, Condition):
            return self._comparison(*next(comparisons), part)
        holds, fails = zip(*(self._expression(each, comparisons, part) for each in expression.parts), strict=True)
        if expression.kind == "all":
            return Truth(reduce(and_, holds), reduce(or_, fails))
        return Truth(reduce(or_, holds), reduce(and_, fails))

    def _comparison(self, condition: Condition, bounds: Bounds, part: Part) -> Truth:
        signal, (low, high) = condition.signal, bounds
        known = self._known(signal)
        if not condition.comparison.has_limit:
            return Truth(self._all & ~known, known)
        # Where it holds in only a part of a region, a rule matches least if it fails in `when` and holds in `unless`.
        if part == "when":
            holds = known & self._at_least(signal, low) & self._at_most(signal, high)
            return Truth(holds, known & ~holds)
        fails = known & (self._at_most(signal, low - 1) | self._at_least(signal, high + 1))
        return Truth(known & ~fails, fails)

    def _known(self, signal: Signal) -> Regions:
        members = signal.members or (signal,)
        return reduce(and_, (self._axes[each.objective].between(*each.plausible) for each in members))

    def _at_least(self, signal: Signal, micro: int) -> Regions:
        if not signal.members:
            return self._axes[signal.objective].at_least(micro)
        join = and_ if signal.reward_pick == "least" else or_
        return reduce(join, (self._axes[each.objective].at_least(micro) for each in signal.members))

    def _at_most(self, signal: Signal, micro: int) -> Regions:
        if not signal.members:
            return self._axes[signal.objective].at_most(micro)
        join = or_ if signal.reward_pick == "least" else and_
        return reduce(join, (self._axes[each.objective].at_most(micro) for each in signal.members))


def score_regions(*rules: BoundedRule) -> ScoreRegions | None:
    """Give the regions between the limits of all these rules; None when there are too many."""
    starts: dict[str, set[int]] = {}
    for condition, (low, high) in (pair for rule in rules for pair in zip(rule.conditions, rule.bounds, strict=True)):
        for signal in condition.signal.members or (condition.signal,):
            least, greatest = signal.plausible
            found = starts.setdefault(signal.objective, {-MAX_MICRO})
            found.update(start for start in (low, high + 1, least, greatest + 1) if -MAX_MICRO <= start <= MAX_MICRO)
    if prod(len(each) + 1 for each in starts.values()) > _MAX_REGIONS:
        return None
    return ScoreRegions({objective: sorted(found) for objective, found in starts.items()})


@dataclass(frozen=True, slots=True)
class _Axis:
    """The ranges of one objective; `upwards[n]` are the regions with its nth range or a higher one."""

    starts: Sequence[int]
    ends: Sequence[int]
    upwards: Sequence[Regions]
    downwards: Sequence[Regions]

    def at_least(self, micro: int) -> Regions:
        """Give the regions whose range is entirely at a reward or above."""
        return self.upwards[bisect_left(self.starts, micro)]

    def at_most(self, micro: int) -> Regions:
        """Give the regions whose range is entirely at a reward or below."""
        return self.downwards[bisect_right(self.ends, micro)]

    def between(self, low: int, high: int) -> Regions:
        """Give the regions whose range is entirely between two rewards, both included."""
        return self.at_least(low) & self.at_most(high)


def _axis(starts: Sequence[int], stride: int, every: Regions) -> _Axis:
    """Lay out one objective whose range changes every `stride` regions; after its ranges comes absence."""
    count = len(starts)
    first = every // ((1 << stride * (count + 1)) - 1)  # one bit where each round of its ranges begins
    downwards = [((1 << stride * end) - 1) * first for end in range(count + 1)]
    upwards = [downwards[count] & ~each for each in downwards]
    return _Axis(starts, [*(end - 1 for _, end in pairwise(starts)), MAX_MICRO], upwards, downwards)
