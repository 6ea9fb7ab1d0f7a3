"""What an edit does to a folder's rules, where it changes nothing else that can change a decision."""

from dataclasses import replace
from typing import NamedTuple

from moderator.policy.language.snapshot import rule_content, snapshot_of
from moderator.policy.policy_set import PolicySet


class EditedRules(NamedTuple):
    """What tells two policy sets apart.

    Attributes:
        removed: ids of the active rules of the first that the second lacks, or has with another content.
        added: the second with nothing but its active rules that the first lacks, or has with another content.
    """

    removed: frozenset[str]
    added: PolicySet


def edited_rules(before: PolicySet, after: PolicySet) -> EditedRules | None:
    """Compare two sets; None where they differ in more than rules."""
    if _all_but_rules(before) != _all_but_rules(after):
        return None
    was = {rule.id: rule_content(rule) for rule in before.active_rules}
    now = {rule.id: rule_content(rule) for rule in after.active_rules}
    same = {rule for rule, content in was.items() if now.get(rule) == content}
    policies = tuple(
        replace(policy, rules=tuple(rule for rule in policy.rules if rule.id not in same)) for policy in after.policies
    )
    return EditedRules(frozenset(was.keys() - same), replace(after, policies=policies, tests=()))


def _all_but_rules(policies: PolicySet) -> str:
    return snapshot_of(
        policies.settings, policies.signals, policies.calibrations, (), policies.exemptions, texts=policies.texts
    )
