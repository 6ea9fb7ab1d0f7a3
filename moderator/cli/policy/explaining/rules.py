"""Rules found by the name a user gives, and described in words."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from moderator.errors import ConfigurationError

if TYPE_CHECKING:
    from moderator.policy import PolicySet
    from moderator.policy.language.ast import Rule


def described_rules(name: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Give id and description of the rule of that id, else of all rules of that name, else of all of that policy.

    Raises:
        PolicyError: the folder cannot be used.
        ConfigurationError: nothing has that name.
    """
    from moderator.policy import load_policies
    from moderator.policy.analysis.descriptions import describe_rule

    policies = load_policies(folder)
    for rule in _named(name, policies):
        yield rule.id, describe_rule(rule, policies.exemptions)


def _named(name: str, policies: "PolicySet") -> "list[Rule]":
    from moderator.policy.syntax.diagnostics import did_you_mean, quote

    ids = [rule.id for rule in policies.rules]
    found = (
        [rule for rule in policies.rules if rule.id == name]
        or [rule for rule in policies.rules if rule.id.partition("/")[2] == name]
        or [rule for rule in policies.rules if rule.id.partition("/")[0] == name]
    )
    if not found:
        near = did_you_mean(name, [*ids, *(rule.partition("/")[2] for rule in ids)])
        hint = near or f"there are: {', '.join(ids)}"
        raise ConfigurationError(f"there is no rule or policy called {quote(name)}; {hint}")
    return found
