"""Why rules did not apply to an event: the first field that did not fit."""

from collections.abc import Iterator
from typing import NamedTuple

from moderator.events import ChatEvent, Decision
from moderator.policy.analysis.descriptions import listed, literal
from moderator.policy.engine.scopes import compile_field, fits
from moderator.policy.language.ast import FieldMatch, Rule
from moderator.policy.policy_set import PolicySet
from moderator.policy.recorded_events import recorded_event


class NotApplicable(NamedTuple):
    """A rule that did not apply.

    Attributes:
        field: the first that did not fit.
        has: what the event has there, as it is compared; None: nothing.
        wants: what the rule is for; a `*` at the end stands for any rest.
    """

    rule: str
    field: str
    has: str | None
    wants: list[str]

    @property
    def why(self) -> str:
        """Say why in words."""
        if self.has is None:
            return f"the event has no {self.field}"
        wanted = listed([literal(each) for each in self.wants], "or")
        return f"{self.field} is {literal(self.has)}, the rule wants {wanted}"


def not_applicable(decision: Decision, policies: PolicySet) -> list[NotApplicable]:
    """Give each live and shadow rule that did not apply to the event of a decision, by id."""
    event = recorded_event(decision)
    found = (_why(rule, event) for rule in policies.active_rules)
    return sorted(each for each in found if each is not None)


def _why(rule: Rule, event: ChatEvent) -> NotApplicable | None:
    return next(_misfits(rule, event), None)


def _misfits(rule: Rule, event: ChatEvent) -> Iterator[NotApplicable]:
    for line in rule.scope:
        has = compile_field(line.field)(event)
        if not fits(((0, line.exact, line.prefixes),), [has]):
            yield NotApplicable(rule.id, line.field, has or None, _wanted(line))


def _wanted(line: FieldMatch) -> list[str]:
    return [*sorted(line.exact), *(f"{prefix}*" for prefix in line.prefixes)]
