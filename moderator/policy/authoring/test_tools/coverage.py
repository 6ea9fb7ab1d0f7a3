"""What the folder's tests show of each rule: which outcomes, and which way each comparison went.

Only tests that pass and name the rule under `expect: rules:` count: what nothing is said about is not shown.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from moderator.events import RuleResult
from moderator.policy.language.ast import Condition, Rule, TestOutcome
from moderator.policy.policy_set import PolicySet
from moderator.policy.test_runner import TestResult, tested_outcomes


@dataclass(frozen=True, slots=True)
class ConditionCoverage:
    """How many tests saw one comparison hold, not hold, or lack its score."""

    part: str
    condition: Condition
    held: int
    missed: int
    unknown: int

    @property
    def is_whole(self) -> bool:
        """It was seen both ways."""
        return bool(self.held and self.missed)


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """What tests show of one live or shadow rule; `outcomes` counts tests by what they expect."""

    rule: Rule
    outcomes: Mapping[TestOutcome, int]
    conditions: tuple[ConditionCoverage, ...]
    unused_exceptions: tuple[int, ...]

    @property
    def is_whole(self) -> bool:
        """It was seen to match and not to match, each comparison both ways, and each item of `except` at work."""
        both = all(any(self.outcomes.get(outcome) for outcome in each) for each in tested_outcomes(self.rule))
        return both and all(one.is_whole for one in self.conditions) and not self.unused_exceptions


def cover(policies: PolicySet, results: Iterable[TestResult]) -> list[RuleCoverage]:
    """Count what passing tests show of each live and shadow rule, in the order of the folder."""
    passing = [result for result in results if not result.mismatches]
    return [_cover_rule(rule, passing) for rule in policies.rules if rule.mode != "off"]


def _cover_rule(rule: Rule, passing: Sequence[TestResult]) -> RuleCoverage:
    naming = [result for result in passing if rule.id in result.test.expected.rules]
    outcomes = Counter(result.test.expected.rules[rule.id] for result in naming)
    seen = [found for result in naming for found in result.judgement.rules if found["rule"] == rule.id]
    spared_by = {found.get("spared_by") for found in seen}
    unused = (number for number in range(1, len(rule.exempt_scopes) + 1) if f"except {number}" not in spared_by)
    return RuleCoverage(rule, outcomes, tuple(_cover_conditions(rule, seen)), tuple(unused))


def _cover_conditions(rule: Rule, seen: Sequence[RuleResult]) -> Iterable[ConditionCoverage]:
    # A rule that is not yet, or no longer, in force has no results of its comparisons.
    judged = [found["conditions"] for found in seen if found["conditions"]]
    for index, condition in enumerate(rule.conditions):
        counts = Counter(conditions[index]["holds"] for conditions in judged)
        yield ConditionCoverage(rule.part_of(index), condition, counts[True], counts[False], counts[None])
