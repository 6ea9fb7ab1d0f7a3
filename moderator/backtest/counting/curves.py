"""What moving one limit of the candidate would do: the distribution of scores, and which events the limit decides.

A limit decides an event when the verdict is flag with the comparison forced to hold and allow with it forced not to, or
the other way round, all else as it is. So one pass over the events answers for every limit at once, exactly: with the
whole rule, the other rules, exceptions and missing scores. The rule is taken as live, so that a shadow rule's limit
can be chosen before it is promoted.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import count
from typing import Self

from moderator.backtest.counting.movable_limits import limit_before, limit_of, movable
from moderator.backtest.counting.nearest import ConditionKey
from moderator.backtest.replay import ReplayedDecision, Replayer
from moderator.events import Outcome, RuleResult, Verdict
from moderator.policy import PolicySet
from moderator.policy.language.ast import Condition, Expression, Group, Rule
from moderator.policy.language.comparisons import AT_LEAST
from moderator.policy.language.scale import MILLION

MICRO_PER_STEP = 1_000
"""Limits are tried in whole thousandths."""
_BEYOND_ALL = Fraction(10**30)
"""Every score is at least the negative of this, and none is at least this."""
_OPEN: tuple[Outcome, ...] = ("matched", "not matched", "unknown")


@dataclass(slots=True)
class Curve:
    """One comparison's scores and events.

    Attributes:
        scores: of the events that the rule applied to, in whole thousandths, rounded down.
        when_holding, when_failing: events decided by the limit, by score and label: flagged only if the comparison
            holds, or only if it fails. Scores in whole millionths, moved to the next thousandth or limit of either set,
            towards the side on which these stay exact.
        settled: events whose verdict is flag or allow whatever the limit, by verdict and label.
        is_swept: all events were counted, not the labelled ones alone.
    """

    is_swept: bool
    scores: Counter[int] = field(default_factory=Counter)
    when_holding: Counter[tuple[int, Verdict | None]] = field(default_factory=Counter)
    when_failing: Counter[tuple[int, Verdict | None]] = field(default_factory=Counter)
    settled: Counter[tuple[Verdict, Verdict | None]] = field(default_factory=Counter)

    def merge(self, other: Self) -> None:
        """Add what another process counted."""
        self.scores += other.scores
        self.when_holding += other.when_holding
        self.when_failing += other.when_failing
        self.settled += other.settled


Curves = dict[ConditionKey, Curve]


def empty_curves(candidate: PolicySet, sweep: str | None) -> Curves:
    """Give a curve for each movable comparison of a live or shadow rule; `sweep` is the signal to try on all events."""
    return {
        (rule.id, index): Curve(is_swept=condition.signal.name == sweep)
        for rule in candidate.active_rules
        for index, condition in movable(rule)
    }


class CurveReader:
    """Counts events into curves."""

    def __init__(self, baseline: PolicySet, candidate: PolicySet, sweep: str | None) -> None:
        self._every = [
            _Limit(
                candidate,
                rule,
                index,
                condition,
                is_swept=condition.signal.name == sweep,
                marks=_marks(baseline, candidate, rule, index),
            )
            for rule in candidate.active_rules
            for index, condition in movable(rule)
        ]
        self._keys: dict[str, list[ConditionKey]] = {rule.id: [] for rule in candidate.active_rules}
        for limit in self._every:
            self._keys[limit.key[0]].append(limit.key)
        self._swept = [limit for limit in self._every if limit.is_swept]

    def read(self, replayed: ReplayedDecision, curves: Curves) -> None:
        """Count one event."""
        for result in replayed.candidate.rules:
            conditions = result["conditions"]
            for key in self._keys[result["rule"]]:
                score = conditions[key[1]]["score"]
                if score is not None:
                    curves[key].scores[round(score * MILLION) // MICRO_PER_STEP] += 1
        tried = self._swept if replayed.label is None else self._every
        if tried:
            results = {result["rule"]: result for result in replayed.candidate.rules}
            for limit in tried:
                limit.decide(replayed, results.get(limit.key[0]), curves[limit.key])


class _Limit:
    """One comparison, with judges of its rule alone in which it is forced to hold and forced to fail."""

    def __init__(
        self,
        policies: PolicySet,
        rule: Rule,
        index: int,
        condition: Condition,
        *,
        is_swept: bool,
        marks: list[Fraction],
    ) -> None:
        self.key: ConditionKey = rule.id, index
        self.is_swept = is_swept
        self._index = index
        self._flags_when_missing = rule.flags_when_missing
        self._rounds_down = condition.comparison.holds_below != condition.comparison.holds_at
        self._marks = [math.ceil(mark) if self._rounds_down else math.floor(mark) for mark in marks]
        self._holding, self._failing = (
            Replayer(_alone(policies, rule, index, replace(condition, comparison=AT_LEAST, limit=limit, percent=None)))
            for limit in (-_BEYOND_ALL, _BEYOND_ALL)
        )

    def score_micro(self, result: RuleResult) -> int | None:
        """Give the score in millionths; None when it is missing."""
        score = result["conditions"][self._index]["score"]
        return None if score is None else round(score * MILLION)

    def decide(self, replayed: ReplayedDecision, result: RuleResult | None, curve: Curve) -> None:
        """Count one event by what the limit can do to its verdict; `result` is what the rule found, if it applied."""
        holding, failing = self._verdicts(replayed, result)
        if holding == failing:
            curve.settled[holding, replayed.label] += 1
            return
        assert result is not None
        micro = self.score_micro(result)
        assert micro is not None
        decided = curve.when_holding if holding == "flag" else curve.when_failing
        decided[self._moved(micro), replayed.label] += 1

    def _moved(self, micro: int) -> int:
        """Move a score to a thousandth or mark, so that it stays on its side of every limit that is tried."""
        if self._rounds_down:
            return max([micro - micro % MICRO_PER_STEP, *(mark for mark in self._marks if mark <= micro)])
        return min([micro + -micro % MICRO_PER_STEP, *(mark for mark in self._marks if mark >= micro)])

    def _verdicts(self, replayed: ReplayedDecision, result: RuleResult | None) -> tuple[Verdict, Verdict]:
        """Give the verdict with the comparison forced to hold, and with it forced to fail."""
        if replayed.candidate.status == "unscored":
            return replayed.candidate.verdict, replayed.candidate.verdict
        if any(each["counted"] and each is not result for each in replayed.candidate.rules):
            return "flag", "flag"
        # no limit makes a rule apply outside of its scope, its time or its rollout, or undoes an exception
        if result is None or result["outcome"] not in _OPEN or result.get("rollout") == "outside":
            return "allow", "allow"
        holds = result["conditions"][self._index]["holds"]
        is_flagged = result["outcome"] == "matched" or (result["outcome"] == "unknown" and self._flags_when_missing)
        verdict: Verdict = "flag" if is_flagged else "allow"
        if holds is None:
            return verdict, verdict
        other = (self._failing if holds else self._holding).judge(replayed.replay_input).verdict
        return (verdict, other) if holds else (other, verdict)


def _marks(baseline: PolicySet, candidate: PolicySet, rule: Rule, index: int) -> list[Fraction]:
    """Give the limits of both sets, in millionths; percent limits are one for each model."""
    models = [None, *baseline.calibrations, *candidate.calibrations]
    after = (limit_of(rule.conditions[index], candidate, model) for model in models)
    before = (limit_before(baseline, rule, index, model) for model in models)
    return [limit * MILLION for limit in {*after, *before} if limit is not None]


def _alone(policies: PolicySet, rule: Rule, index: int, forced: Condition) -> PolicySet:
    """Give the set with this rule alone, live, one of its comparisons replaced."""
    numbers = count()
    when = None if rule.when is None else _replaced(rule.when, index, forced, numbers)
    unless = None if rule.unless is None else _replaced(rule.unless, index, forced, numbers)
    live = replace(rule, mode="live", when=when, unless=unless)
    policy = next(policy for policy in policies.policies if rule in policy.rules)
    return replace(policies, policies=(replace(policy, rules=(live,)),), tests=())


def _replaced(expression: Expression, index: int, forced: Condition, numbers: Iterator[int]) -> Expression:
    if isinstance(expression, Condition):
        return forced if next(numbers) == index else expression
    return Group(expression.kind, tuple(_replaced(part, index, forced, numbers) for part in expression.parts))
