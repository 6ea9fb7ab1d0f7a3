"""Mutation testing of policies: a small change that no test notices is a mistake that no test would notice."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from moderator.events import Outcome
from moderator.policy.analysis.covering import Placed, covers
from moderator.policy.authoring.test_tools.mutants import Mutant, mutants_of
from moderator.policy.language.ast import Flag, Policy, Rule
from moderator.policy.policy_set import PolicySet
from moderator.policy.test_runner import run_tests

_Results = tuple[list[tuple[Outcome, bool]], str | None]
"""Outcome of a rule and whether it counted, empty where it does not apply; and the action."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """How many changes were tried, and which no test noticed.

    A change that is proven to flag the same as before is no mistake and does not count.
    """

    tried: int
    unnoticed: tuple[Mutant, ...]


def mutate(policies: PolicySet) -> Mutation:
    """Try every small change to a live or shadow rule against the folder's tests, which must all pass as they are."""
    tried = 0
    unnoticed: list[Mutant] = []
    for rule in policies.active_rules:
        usual = _alone(rule, policies)
        for mutant in mutants_of(rule, policies.settings.actions):
            is_noticed = _is_noticed(mutant, usual, policies)
            if is_noticed or not _flags_the_same(rule, mutant.rule, policies):
                tried += 1
                unnoticed += [] if is_noticed else [mutant]
    return Mutation(tried, tuple(unnoticed))


def _is_noticed(mutant: Mutant, usual: Sequence[_Results], policies: PolicySet) -> bool:
    changed_results = _alone(mutant.rule, policies)
    # A test can only notice where the rule itself has another result.
    touched = tuple(
        test for test, before, after in zip(policies.tests, usual, changed_results, strict=True) if before != after
    )
    if not touched:
        return False
    changed = tuple(_with_rule(policy, mutant.rule) for policy in policies.policies)
    return any(result.fails for result in run_tests(replace(policies, policies=changed, tests=touched)))


def _alone(rule: Rule, policies: PolicySet) -> list[_Results]:
    """Give the result of a rule in each test, as if it were the only rule."""
    policy = replace(policies.policies[0], rules=(rule,))
    results = run_tests(replace(policies, policies=(policy,)))
    return [
        ([(found["outcome"], found["counted"]) for found in result.judgement.rules], result.judgement.action)
        for result in results
    ]


def _flags_the_same(rule: Rule, changed: Rule, policies: PolicySet) -> bool:
    if rule.flag != changed.flag:
        return False
    one, other = (Placed(policies, _as_flag(version)) for version in (rule, changed))
    return covers(one, other) and covers(other, one)


def _as_flag(rule: Rule) -> Rule:
    """Let a rule be live, and one that tags flag what it tags: only then is anything proven of it."""
    if rule.flag is not None:
        return replace(rule, mode="live")
    flag = Flag("low", "", rule.tags)
    return replace(rule, mode="live", flag=flag, flags_when_missing=False, flags_when_fact_missing=False)


def _with_rule(policy: Policy, changed: Rule) -> Policy:
    return replace(policy, rules=tuple(changed if rule.id == changed.id else rule for rule in policy.rules))
