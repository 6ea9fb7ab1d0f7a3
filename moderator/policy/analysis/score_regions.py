"""What a rule can say at all: each combination of score ranges between the limits of its comparisons is one bit."""

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
from moderator.policy.language.percent import bounds_beside
from moderator.policy.language.scale import MAX_MICRO

Bounds = tuple[int, int]
Combinations = int
"""A set of combinations of score ranges: bit n stands for the nth."""

_MAX_COMBINATIONS = 20_000
"""Rules with more of them are not searched."""


@dataclass(frozen=True, slots=True)
class Bounded:
    """A rule with the rewards for which its comparisons hold, in the order of `Rule.conditions`."""

    rule: Rule
    conditions: Sequence[Condition]
    bounds: Sequence[Bounds]
    signals: frozenset[str]


def bound(rule: Rule, calibration: Calibration | None) -> Bounded | None:
    """Look up what the comparisons hold for; None when a percent phrase has no calibration beside it."""
    bounds = [bounds_beside(condition, calibration) for condition in rule.conditions]
    known = [each for each in bounds if each is not None]
    if len(known) < len(bounds):
        return None
    return Bounded(rule, rule.conditions, known, frozenset(condition.signal.name for condition in rule.conditions))


class Said(NamedTuple):
    """Where an expression is sure to hold, and where it may fail; wherever else, it cannot be told or holds."""

    holds: Combinations
    fails: Combinations


class Ranges:
    """Every combination of the score ranges, or absence, within which no comparison of some rules changes."""

    def __init__(self, starts: Mapping[str, Sequence[int]]) -> None:
        """Take, by objective, the least reward of each range."""
        count = prod(len(each) + 1 for each in starts.values())
        self._all: Combinations = (1 << count) - 1
        self._axes: dict[str, _Axis] = {}
        stride = 1
        for objective, each in starts.items():
            self._axes[objective] = _axis(each, stride, self._all)
            stride *= len(each) + 1

    def said(self, rule: Bounded) -> Said:
        """Give what a rule says, which may name no signals but those of the rules that the ranges are of.

        What does not hold throughout a range counts as failing there, so of another rule the least is claimed.
        """
        comparisons = zip(rule.conditions, rule.bounds, strict=True)
        when = self._expression(rule.rule.when, comparisons, "when")
        if rule.rule.unless is None:
            return when
        unless = self._expression(rule.rule.unless, comparisons, "unless")
        return Said(when.holds & unless.fails, when.fails | unless.holds)

    def acts(self, rule: Bounded) -> Combinations:
        """Give where a rule is sure to act, for its scores or for want of them."""
        said = self.said(rule)
        return self._all & ~said.fails if rule.rule.flags_when_missing else said.holds

    def _expression(self, expression: Expression, comparisons: Iterator[tuple[Condition, Bounds]], part: Part) -> Said:
        if isinstance(expression, Condition):
            return self._comparison(*next(comparisons), part)
        holds, fails = zip(*(self._expression(each, comparisons, part) for each in expression.parts), strict=True)
        if expression.kind == "all":
            return Said(reduce(and_, holds), reduce(or_, fails))
        return Said(reduce(or_, holds), reduce(and_, fails))

    def _comparison(self, condition: Condition, bounds: Bounds, part: Part) -> Said:
        signal, (low, high) = condition.signal, bounds
        known = self._known(signal)
        if condition.comparison == "missing":
            return Said(self._all & ~known, known)
        # Where it holds for a part of the range alone, a rule matches least if it fails in `when`, holds in `unless`.
        if part == "when":
            holds = known & self._at_least(signal, low) & self._at_most(signal, high)
            return Said(holds, known & ~holds)
        fails = known & (self._at_most(signal, low - 1) | self._at_least(signal, high + 1))
        return Said(known & ~fails, fails)

    def _known(self, signal: Signal) -> Combinations:
        members = signal.members or (signal,)
        return reduce(and_, (self._axes[each.objective].between(*each.plausible) for each in members))

    def _at_least(self, signal: Signal, micro: int) -> Combinations:
        if not signal.members:
            return self._axes[signal.objective].at_least(micro)
        join = and_ if signal.reward_pick == "least" else or_
        return reduce(join, (self._axes[each.objective].at_least(micro) for each in signal.members))

    def _at_most(self, signal: Signal, micro: int) -> Combinations:
        if not signal.members:
            return self._axes[signal.objective].at_most(micro)
        join = or_ if signal.reward_pick == "least" else and_
        return reduce(join, (self._axes[each.objective].at_most(micro) for each in signal.members))


def ranges_of(*rules: Bounded) -> Ranges | None:
    """Give the ranges between the limits of all these rules; None when there are too many."""
    starts: dict[str, set[int]] = {}
    for condition, (low, high) in (pair for rule in rules for pair in zip(rule.conditions, rule.bounds, strict=True)):
        for signal in condition.signal.members or (condition.signal,):
            least, greatest = signal.plausible
            found = starts.setdefault(signal.objective, {-MAX_MICRO})
            found.update(start for start in (low, high + 1, least, greatest + 1) if -MAX_MICRO <= start <= MAX_MICRO)
    if prod(len(each) + 1 for each in starts.values()) > _MAX_COMBINATIONS:
        return None
    return Ranges({objective: sorted(found) for objective, found in starts.items()})


@dataclass(frozen=True, slots=True)
class _Axis:
    """The ranges of one objective; `upwards[n]` are the combinations with its nth range or a higher one."""

    starts: Sequence[int]
    ends: Sequence[int]
    upwards: Sequence[Combinations]
    downwards: Sequence[Combinations]

    def at_least(self, micro: int) -> Combinations:
        """Give the combinations whose range lies wholly at a reward or above."""
        return self.upwards[bisect_left(self.starts, micro)]

    def at_most(self, micro: int) -> Combinations:
        """Give the combinations whose range lies wholly at a reward or below."""
        return self.downwards[bisect_right(self.ends, micro)]

    def between(self, low: int, high: int) -> Combinations:
        """Give the combinations whose range lies wholly between two rewards, both included."""
        return self.at_least(low) & self.at_most(high)


def _axis(starts: Sequence[int], stride: int, every: Combinations) -> _Axis:
    """Lay out one objective whose range changes with every `stride` combinations; after its ranges comes absence."""
    count = len(starts)
    first = every // ((1 << stride * (count + 1)) - 1)  # one bit where each round of its ranges begins
    downwards = [((1 << stride * end) - 1) * first for end in range(count + 1)]
    upwards = [downwards[count] & ~each for each in downwards]
    return _Axis(starts, [*(end - 1 for _, end in pairwise(starts)), MAX_MICRO], upwards, downwards)
