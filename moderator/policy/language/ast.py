"""What a policy folder says once it has been read: frozen values, every name resolved, every limit exact."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from moderator.events import Outcome, Part, Severity, Status, Verdict
from moderator.policy.language.comparisons import Comparison
from moderator.policy.language.scale import Scale
from moderator.policy.syntax.diagnostics import Span

Presence = Literal["always", "sometimes"]
RuleMode = Literal["live", "shadow", "off"]
RolloutUnit = Literal["users", "conversations", "tenants", "events"]
OtherScores = Literal["typical", "missing"]
GroupKind = Literal["all", "any"]
RewardPick = Literal["least", "greatest"]
TestOutcome = Outcome | Literal["does not apply", "off"]


@dataclass(frozen=True, slots=True)
class FolderSettings:
    """settings.yaml; `fields` in the order written.

    Attributes:
        truncated_verdict: of an event of whose judged message some was not read, and that no live rule flags; None:
            not said, which is flag.
        exemption_limit_days: how long after `added` an exemption may last; None when there are no exemptions.
    """

    flags_when_missing: bool
    unscored_verdict: Verdict
    fields: dict[str, Presence]
    reasons: tuple[str, ...]
    truncated_verdict: Verdict | None = None
    exemption_limit_days: int | None = None

    @property
    def flags_truncated(self) -> bool:
        """Whether an event is flagged because some of its judged message was not read."""
        return self.truncated_verdict != "allow"


@dataclass(frozen=True, slots=True)
class Signal:
    """An objective on a human scale, or the lowest or highest of several signals on one scale.

    Attributes:
        objective: what the reward is read from; empty for a derived signal.
        plausible: least and greatest plausible reward in whole millionths, both included.
        members: the signals that a derived one is chosen from, at least two, none of them derived; else empty.
        pick: which of the members' scores a derived signal is; None for one that is read from an objective.
    """

    name: str
    objective: str
    scale: Scale
    good: Literal["high", "low"]
    plausible: tuple[int, int]
    span: Span
    about: str = ""
    members: tuple["Signal", ...] = ()
    pick: Literal["lowest", "highest"] | None = None

    @property
    def is_percent_only(self) -> bool:
        """No scale is agreed (`scale: none`), so that only percent phrases and `missing` say something."""
        return self.scale.low is None

    @property
    def objectives(self) -> tuple[str, ...]:
        """Every objective that the signal needs."""
        return tuple(member.objective for member in self.members) or (self.objective,)

    @property
    def reward_pick(self) -> RewardPick:
        """Which of its members' rewards a derived signal is: a scale may reverse the order of scores."""
        return "least" if (self.pick == "lowest") != self.scale.is_reversed else "greatest"


@dataclass(frozen=True, slots=True)
class DerivedQuantiles:
    """How the rewards behind one derived signal were spread.

    Attributes:
        pick, objectives: which of whose rewards the signal was when it was measured.
        quantiles: q[0..1000] of that reward in whole millionths, rising.
    """

    pick: RewardPick
    objectives: frozenset[str]
    quantiles: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How one model's rewards were spread over recorded events, frozen.

    Attributes:
        file: its name in the folder, such as `calibration/armorm.json`.
        hash: `sha256:` and 64 hex digits over its content.
        quantiles: objective -> q[0..1000] of the reward in whole millionths, nearest rank, rising.
        derived: derived signal -> the same of the reward that it is.
        noise_micro: objective -> how far apart one text's rewards may be, in whole millionths; only where measured.
    """

    file: str
    hash: str
    model: str
    fingerprint: str
    dtype: str
    framing: str
    event_count: int
    quantiles: Mapping[str, tuple[int, ...]]
    derived: Mapping[str, DerivedQuantiles]
    noise_micro: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison.

    Attributes:
        limit: N of `below N` and its like, as a score; else None.
        percent: P of `in the lowest P%` and `in the highest P%`, 0.1 to 50 in steps of 0.1; else None.
        phrase: as written.
    """

    signal: Signal
    comparison: Comparison
    limit: Fraction | None
    phrase: str
    span: Span
    percent: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions under `all:` or `any:`, at least one."""

    kind: GroupKind
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
    """What a rule adds to the decision when it matches; labels sorted."""

    severity: Severity
    reason: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rollout:
    """Which share of units a live rule counts for: the same ones every time, and growing drops none.

    Attributes:
        percent: 0.01 to 100 in steps of 0.01.
        seed: `rollout_seed`, or the full rule id where none is given.
        has_own_seed: `rollout_seed` is given, so that renaming the rule draws no new units.
    """

    percent: Fraction
    unit: RolloutUnit
    seed: str
    has_own_seed: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule with its policy's scope; `id` is `policy/rule`.

    Attributes:
        scope: the policy's lines, then the rule's own.
        exempt_scopes: the items of `except`.
        starts_ms, until_ms: event time from which (included) and to which (not included) it is in force; ms since 1970.
        flag_share: the budget: at most this percentage of events flagged by the rule; 0 to 100.
    """

    id: str
    mode: RuleMode
    scope: Scope
    when: Expression
    unless: Expression | None
    exempt_scopes: tuple[Scope, ...]
    flags_when_missing: bool
    flag: Flag
    span: Span
    about: str = ""
    starts_ms: int | None = None
    until_ms: int | None = None
    rollout: Rollout | None = None
    flag_share: Fraction | None = None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Every comparison, first of `when`, then of `unless`, as written."""
        unless = leaves(self.unless) if self.unless else ()
        return (*leaves(self.when), *unless)

    def part_of(self, index: int) -> Part:
        """Say which part of the rule the comparison at an index of `conditions` is in."""
        return "when" if index < len(tuple(leaves(self.when))) else "unless"


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy file."""

    name: str
    file: str
    rules: tuple[Rule, ...]
    about: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Exemption:
    """Events that are exempt from some rules for a while.

    Attributes:
        covers: full ids of rules.
        added_ms, until_ms: event time from which (included) and to which (not included) it applies; ms since 1970.
    """

    name: str
    about: str
    owner: str
    covers: tuple[str, ...]
    scope: Scope
    added_ms: int
    until_ms: int
    span: Span


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
        event: field -> value; metadata under `metadata.<key>`; also `user`, `conversation_id` and `id`.
        micro_by_signal: whole millionths of a reward by signal that is read from an objective (derived ones follow from
            their members); None for a score that is missing. What `other_scores` stands for is filled in.
        expected: rules by full id.
        other_scores: what was written for signals the test does not name; `typical` is the calibration's median.
        at_ms: the broker's time, ms since 1970; None where none is given, which only a folder without times allows.
        known_gap: expected to fail, and reported once it passes.
    """

    name: str
    policy: str
    event: dict[str, str]
    micro_by_signal: dict[str, int | None] | None
    expected: Expectation
    span: Span
    other_scores: OtherScores | None = None
    at_ms: int | None = None
    known_gap: bool = False


def leaves(expression: Expression) -> Iterator[Condition]:
    """Yield every comparison of an expression, as written."""
    if isinstance(expression, Condition):
        yield expression
        return
    for part in expression.parts:
        yield from leaves(part)
