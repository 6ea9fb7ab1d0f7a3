"""What a policy folder says once it has been read: frozen values, every name resolved, every limit exact."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from moderator.events import Outcome, Severity, Status, Verdict
from moderator.policy.problems import Span
from moderator.policy.scale import MAX_MICRO, Scale, whole_bounds

Comparison = Literal["below", "at most", "at least", "above", "missing"]
Presence = Literal["always", "sometimes"]
RuleMode = Literal["live", "shadow", "off"]
TestOutcome = Outcome | Literal["does not apply", "off"]


@dataclass(frozen=True, slots=True)
class Settings:
    """settings.yaml; `fields` in the order written."""

    flags_when_missing: bool
    unscored_verdict: Verdict
    fields: dict[str, Presence]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signal:
    """An objective on a human scale.

    Attributes:
        plausible: least and greatest plausible reward in whole millionths, both included.
    """

    name: str
    objective: str
    scale: Scale
    good: Literal["high", "low"]
    plausible: tuple[int, int]
    span: Span


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; `limit` is None for `missing` alone."""

    signal: Signal
    comparison: Comparison
    limit: Fraction | None
    phrase: str
    span: Span

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and greatest whole millionths of a reward for which the comparison holds; empty when reversed."""
        if self.limit is None:
            return MAX_MICRO + 1, -MAX_MICRO - 1
        return whole_bounds(self.signal.scale, self.comparison, self.limit)


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions under `all:` or `any:`, at least one."""

    kind: Literal["all", "any"]
    parts: tuple["Condition | Group", ...]


Expression = Condition | Group


@dataclass(frozen=True, slots=True)
class FieldMatch:
    """One line of `applies_to` or `except`: the field equals one of `exact` or starts with one of `prefixes`."""

    field: str
    exact: frozenset[str]
    prefixes: tuple[str, ...]


Scope = tuple[FieldMatch, ...]
"""Every line must fit; no line at all fits everything."""


@dataclass(frozen=True, slots=True)
class Flag:
    """What a rule says when it matches; labels sorted."""

    severity: Severity
    reason: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule with its policy's scope; `id` is `policy/rule`."""

    id: str
    mode: RuleMode
    scope: Scope
    when: Expression
    unless: Expression | None
    spares: tuple[Scope, ...]
    flags_when_missing: bool
    flag: Flag
    span: Span

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Every comparison, first of `when`, then of `unless`, as written."""
        unless = leaves(self.unless) if self.unless else ()
        return (*leaves(self.when), *unless)


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy file."""

    name: str
    file: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a test demands; None demands nothing."""

    verdict: Verdict
    severity: Severity | Literal["none"] | None
    reasons: tuple[str, ...] | None
    shadow_verdict: Verdict | None
    status: Status | None
    rules: dict[str, TestOutcome]


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """One test of a policy; `micro_by_signal` is None when the model gave no score at all.

    Attributes:
        event: field -> value; metadata under `metadata.<key>`.
        micro_by_signal: whole millionths of a reward by signal; None for a score that is missing.
        expected: rules by full id.
    """

    name: str
    policy: str
    event: dict[str, str]
    micro_by_signal: dict[str, int | None] | None
    expected: Expectation
    span: Span


def leaves(expression: Expression) -> Iterator[Condition]:
    """Yield every comparison of an expression, as written."""
    if isinstance(expression, Condition):
        yield expression
        return
    for part in expression.parts:
        yield from leaves(part)
