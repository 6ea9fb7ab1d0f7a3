"""Where a rule can hold at all: regions of scores, within which no comparison changes, as the bits of a number."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import prod
from operator import and_, or_
from typing import NamedTuple

from moderator.events import Part
from moderator.policy.language.ast import Axis, Calibration, Condition, Expression, Rule, Signal
from moderator.policy.language.bounds import bounds_of
from moderator.policy.language.comparisons import Bounds

Regions = int
"""A set of regions: bit n stands for the nth. A region is one range, or absence, of each axis' number."""

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

    def __init__(self, starts: Mapping[Axis, Sequence[int]], greatest: Mapping[Axis, int]) -> None:
        """Take, by axis, the least number of each range, and the greatest of all."""
        count = prod(len(each) + 1 for each in starts.values())
        self._all: Regions = (1 << count) - 1
        self._axes: dict[Axis, _Axis] = {}
        stride = 1
        for axis, each in starts.items():
            self._axes[axis] = _axis(each, greatest[axis], stride, self._all)
            stride *= len(each) + 1

    def truth(self, rule: BoundedRule) -> Truth:
        """Give where a rule holds and fails, which may name only signals of the rules that the regions are made from.

        What does not hold in all of a region counts as failing there, so nothing unproven is claimed.
        """
        return self._truth(rule)

    def _truth(self, rule: BoundedRule, *, is_unscored: bool = False) -> Truth:
        comparisons = (
            None if is_unscored and condition.signal.kind == "score" else (condition, bounds)
            for condition, bounds in zip(rule.conditions, rule.bounds, strict=True)
        )
        when = Truth(self._all, 0)
        if rule.rule.when is not None:
            when = self._expression(rule.rule.when, comparisons, "when")
        if rule.rule.unless is None:
            return when
        unless = self._expression(rule.rule.unless, comparisons, "unless")
        return Truth(when.holds & unless.fails, when.fails | unless.holds)

    def with_one_of(self, numbers: Mapping[Axis, range], never_missing: Collection[Axis]) -> Regions:
        """Give where axes have a number that they can have, in millionths; any is possible of other axes."""
        masks = (self._with_one_of(axis, numbers[axis], axis in never_missing) for axis in numbers)
        return reduce(and_, masks, self._all)

    def _with_one_of(self, of: Axis, numbers: range, is_there: bool) -> Regions:  # noqa: FBT001
        axis = self._axes[of]
        found = 0 if is_there else self._all & ~axis.upwards[0]
        for place, (start, end) in enumerate(zip(axis.starts, axis.ends, strict=True)):
            first = numbers.start + max(0, -(-(start - numbers.start) // numbers.step)) * numbers.step
            if first <= end and first in numbers:
                found |= axis.upwards[place] & ~axis.upwards[place + 1]
        return found

    def matches(self, rule: BoundedRule) -> Regions:
        """Give where a rule is sure to match."""
        return self.truth(rule).holds

    def fires(self, rule: BoundedRule) -> Regions:
        """Give where a rule is sure to fire, because it matches or because a score or a fact is missing."""
        return self._fires(rule, self.truth(rule), self._lacks_score(rule))

    def fires_unscored(self, rule: BoundedRule) -> Regions:
        """Give where a rule is sure to fire for an event that the model gave no score: by facts and texts alone."""
        is_on_score = any(condition.signal.kind == "score" for condition in rule.conditions)
        truth = self._truth(rule, is_unscored=True)
        return truth.holds if is_on_score else self._fires(rule, truth, 0)

    def _fires(self, rule: BoundedRule, truth: Truth, lacks_score: Regions) -> Regions:
        """Add to where a rule holds where it is unknown and then flags; a rule that tags does neither."""
        unknown = 0 if rule.rule.flag is None else self._all & ~truth.holds & ~truth.fails
        by_score = unknown & lacks_score if rule.rule.flags_when_missing else 0
        by_fact = unknown & ~lacks_score if rule.rule.flags_when_fact_missing else 0
        return truth.holds | by_score | by_fact

    def _lacks_score(self, rule: BoundedRule) -> Regions:
        """Give where a comparison with a model's score is unknown."""
        compared = [each.signal for each in rule.conditions if each.comparison.has_limit]
        known = (self._known(signal) for signal in compared if signal.kind == "score")
        return self._all & ~reduce(and_, known, self._all)

    def _expression(self, expression: Expression, comparisons: "_Comparisons", part: Part) -> Truth:
        if isinstance(expression, Condition):
            comparison = next(comparisons)
            return Truth(0, 0) if comparison is None else self._comparison(*comparison, part)
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
        return reduce(and_, (self._axes[each.axis].between(*each.plausible) for each in members))

    def _at_least(self, signal: Signal, micro: int) -> Regions:
        if not signal.members:
            return self._axes[signal.axis].at_least(micro)
        join = and_ if signal.reward_pick == "least" else or_
        return reduce(join, (self._axes[each.axis].at_least(micro) for each in signal.members))

    def _at_most(self, signal: Signal, micro: int) -> Regions:
        if not signal.members:
            return self._axes[signal.axis].at_most(micro)
        join = or_ if signal.reward_pick == "least" else and_
        return reduce(join, (self._axes[each.axis].at_most(micro) for each in signal.members))


_Comparisons = Iterator[tuple[Condition, Bounds] | None]
"""A rule's comparisons in order; None for one that is unknown everywhere."""


def score_regions(*rules: BoundedRule) -> ScoreRegions | None:
    """Give the regions between the limits of all these rules; None when there are too many."""
    starts: dict[Axis, set[int]] = {}
    greatest: dict[Axis, int] = {}
    for condition, (low, high) in (pair for rule in rules for pair in zip(rule.conditions, rule.bounds, strict=True)):
        for signal in condition.signal.members or (condition.signal,):
            least, most = signal.plausible
            end = greatest.setdefault(signal.axis, signal.greatest_micro)
            found = starts.setdefault(signal.axis, {-end})
            found.update(start for start in (low, high + 1, least, most + 1) if -end <= start <= end)
    if prod(len(each) + 1 for each in starts.values()) > _MAX_REGIONS:
        return None
    return ScoreRegions({axis: sorted(found) for axis, found in starts.items()}, greatest)


@dataclass(frozen=True, slots=True)
class _Axis:
    """The ranges of one source; `upwards[n]` are the regions with its nth range or a higher one."""

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


def _axis(starts: Sequence[int], greatest: int, stride: int, every: Regions) -> _Axis:
    """Lay out one source whose range changes every `stride` regions; after its ranges comes absence."""
    count = len(starts)
    first = every // ((1 << stride * (count + 1)) - 1)  # one bit where each round of its ranges begins
    downwards = [((1 << stride * end) - 1) * first for end in range(count + 1)]
    upwards = [downwards[count] & ~each for each in downwards]
    return _Axis(starts, [*(end - 1 for _, end in pairwise(starts)), greatest], upwards, downwards)
