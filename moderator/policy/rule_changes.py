"""Which rules differ between two policy sets, for the log of a reload."""

from dataclasses import fields, is_dataclass
from typing import TypedDict

from moderator.policy.loader import PolicySet

_SAYS_NOTHING = frozenset({"span", "about", "owner"})


class RuleChanges(TypedDict):
    """Full rule ids, sorted; a rule has changed when it, or a signal that it reads, can decide differently."""

    added: list[str]
    removed: list[str]
    changed: list[str]


def rule_changes(before: PolicySet, after: PolicySet) -> RuleChanges:
    """Compare the rules of two sets by what they mean; where and how they are written makes no difference."""
    old, new = ({rule.id: _meaning(rule) for rule in policies.rules} for policies in (before, after))
    return {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "changed": sorted(rule for rule in old.keys() & new.keys() if old[rule] != new[rule]),
    }


def _meaning(value: object) -> object:
    if is_dataclass(value):
        named = (field.name for field in fields(value) if field.name not in _SAYS_NOTHING)
        return [_meaning(getattr(value, name)) for name in named]
    if isinstance(value, tuple):
        return [_meaning(each) for each in value]
    return value
