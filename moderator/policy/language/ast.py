"""What a policy folder says once it has been read: frozen values, every name resolved, every limit exact."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from moderator.events import MetadataValue, Outcome, Part, Recipient, Severity, Status, Verdict
from moderator.policy.language.comparisons import Comparison
from moderator.policy.language.scale import MAX_FACT_MICRO, MAX_MICRO, Scale
from moderator.policy.language.text_source import MESSAGE, TextSource
from moderator.policy.syntax.diagnostics import Span

Presence = Literal["always", "sometimes"]
RuleMode = Literal["live", "shadow", "off"]
RolloutUnit = Literal["users", "conversations", "tenants", "events"]
OtherScores = Literal["typical", "missing"]
SignalKind = Literal["score", "fact", "text"]
Source = tuple[SignalKind, str]
"""What a signal is read from: an objective of the model, a key of the event's metadata, or a text in its own way."""
Axis = tuple[Source, bool]
"""A source, and whether the least number counts where there are several."""
Good = Literal["high", "low", "none"]
GroupKind = Literal["all", "any"]
RewardPick = Literal["least", "greatest"]
TestOutcome = Outcome | Literal["does not apply", "off"]


@dataclass(frozen=True, slots=True)
class FolderSettings:
    """settings.yaml; `fields` in the order written.

    Attributes:
        flags_when_fact_missing: what a rule does whose facts are missing; None: not said, as no signal is a fact.
        actions: what products do with a flag, mildest first.
        lines: where settings.yaml says each of its keys, from 1.
        truncated_verdict: of an event of whose judged message some was not read, and that no live rule flags; None:
            not said, which is flag.
        exemption_limit_days: how long after `added` an exemption may last; None when there are no exemptions.
    """

    flags_when_missing: bool
    unscored_verdict: Verdict
    fields: dict[str, Presence]
    reasons: tuple[str, ...]
    actions: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    flags_when_fact_missing: bool | None = None
    lines: Mapping[str, int] = field(default_factory=dict)
    truncated_verdict: Verdict | None = None
    exemption_limit_days: int | None = None

    @property
    def flags_truncated(self) -> bool:
        """Whether an event is flagged because some of its judged message was not read."""
        return self.truncated_verdict != "allow"


@dataclass(frozen=True, slots=True)
class Fact:
    """A number that the event carries: `from_event: metadata.KEY`."""

    key: str


@dataclass(frozen=True, slots=True)
class Signal:
    """An objective, a fact or a measure of the text on a human scale, or the lowest or highest of several signals.

    Exactly one of `objective`, `fact`, `text` and `members` says what it is read from. What is said of rewards holds
    for the numbers of facts and texts too.

    Attributes:
        objective: what the reward is read from; empty for other signals.
        plausible: least and greatest plausible reward in whole millionths, both included.
        members: the signals that a derived one is chosen from, at least two, none of them derived; else empty.
        pick: which of the members' scores a derived signal is; None for one without members.
        fact: what of the event it is read from; None for other signals.
        text: which text it is read from, and how; None for other signals.
    """

    name: str
    objective: str
    scale: Scale
    good: Good
    plausible: tuple[int, int]
    span: Span
    about: str = ""
    members: tuple["Signal", ...] = ()
    pick: Literal["lowest", "highest"] | None = None
    fact: Fact | None = None
    text: TextSource | None = None

    @property
    def kind(self) -> SignalKind:
        """Whether the model gives it, the event carries it, or the text is measured; members are all of one kind."""
        if self.members:
            return self.members[0].kind
        if self.text is not None:
            return "text"
        return "score" if self.fact is None else "fact"

    @property
    def is_fact(self) -> bool:
        """Whether a back end may not send what it is read from, so that `if_fact_missing` must say what that means."""
        return self.fact is not None or (self.text is not None and self.text.of != MESSAGE)

    @property
    def can_be_missing(self) -> bool:
        """Whether an event may lack it; every event has a judged message, and what is read from that."""
        return self.kind != "text" or self.is_fact

    @property
    def source(self) -> Source:
        """What its number is read from: of one reading, two signals of one source differ but by their scales.

        Asked of signals without members.
        """
        if self.text is not None:
            return "text", self.name
        return ("fact", self.fact.key) if self.fact else ("score", self.objective)

    @property
    def takes_least(self) -> bool:
        """Whether of several passages the least reward is the worst, so that it counts."""
        return (self.good == "high") != self.scale.is_reversed

    @property
    def axis(self) -> Axis:
        """What its number is: two signals of one axis cannot differ but by their scales, whatever the event.

        Asked of signals without members.
        """
        return self.source, self.takes_least

    @property
    def source_in_words(self) -> str:
        """Name what it is read from as signals.yaml does; asked of signals without members."""
        if self.text is not None:
            return self.text.of
        return f"metadata.{self.fact.key}" if self.fact else self.objective

    @property
    def greatest_micro(self) -> int:
        """The greatest number that is not implausible on any scale, in whole millionths."""
        return MAX_MICRO if self.kind == "score" else MAX_FACT_MICRO

    @property
    def spoken_unit(self) -> str | None:
        """The unit that is said after a limit; None where the name says what is counted, as for words of a list."""
        return None if self.text is not None and self.text.counts_finds else self.scale.unit

    @property
    def is_percent_only(self) -> bool:
        """No scale is agreed (`scale: none`), so that only percent phrases and `missing` say something."""
        return self.kind == "score" and self.scale.low is None

    @property
    def objectives(self) -> tuple[str, ...]:
        """Every objective that the signal needs; none for facts and texts."""
        return tuple(each.objective for each in self.members or (self,) if each.objective)

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


Texts = Mapping[str, Mapping[str, str]]
"""texts.yaml: key -> locale, at least `en` -> what people are shown."""
Scope = tuple[FieldMatch, ...]
"""Every line must fit; no line at all fits everything."""


@dataclass(frozen=True, slots=True)
class Flag:
    """What a rule that flags adds to the decision when it matches; labels sorted.

    Attributes:
        action: one of the actions of settings.yaml; None: a person is to look at it.
        notify: whom to notify, and by which key of texts.yaml, sorted.
    """

    severity: Severity
    reason: str
    labels: tuple[str, ...]
    action: str | None = None
    queue: str | None = None
    notify: tuple[tuple[Recipient, str], ...] = ()


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
        when: None: whatever the message says.
        flag: what it says of an event; None for a rule that tags.
        tags: the labels of a rule that tags, sorted; else empty.
        flag_share: the budget: at most this percentage of events flagged by the rule; 0 to 100.
    """

    id: str
    mode: RuleMode
    scope: Scope
    when: Expression | None
    unless: Expression | None
    exempt_scopes: tuple[Scope, ...]
    flags_when_missing: bool
    flag: Flag | None
    span: Span
    flags_when_fact_missing: bool = False
    tags: tuple[str, ...] = ()
    about: str = ""
    starts_ms: int | None = None
    until_ms: int | None = None
    rollout: Rollout | None = None
    flag_share: Fraction | None = None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Every comparison, first of `when`, then of `unless`, as written."""
        return (*leaves(self.when), *leaves(self.unless))

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
    """What a test demands; None demands nothing.

    Attributes:
        action: `none` demands that there is none.
        notify: recipient and key of each notice, such as `user young-account`; sorted.
    """

    verdict: Verdict
    severity: Severity | Literal["none"] | None
    reasons: tuple[str, ...] | None
    shadow_verdict: Verdict | None
    status: Status | None
    rules: dict[str, TestOutcome]
    action: str | None = None
    queues: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    notify: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """One test of a policy; `micro_by_signal` is None when the model gave no score at all.

    Attributes:
        event: field -> value; metadata under `metadata.<key>`; also `user`, `conversation_id` and `id`.
        micro_by_signal: whole millionths of a reward by signal, derived ones aside, which follow from their members;
            None for a score that is missing. What `other_scores` stands for is filled in. Of facts only those that
            `scores` gives: others are in the event.
        expected: rules by full id.
        other_scores: what was written for signals the test does not name; `typical` is the calibration's median.
        at_ms: the broker's time, ms since 1970; None where none is given, which only a folder without times allows.
        known_gap: expected to fail, and reported once it passes.
        text: the judged message, for text signals.
    """

    name: str
    policy: str
    event: dict[str, MetadataValue]
    micro_by_signal: dict[str, int | None] | None
    expected: Expectation
    span: Span
    other_scores: OtherScores | None = None
    at_ms: int | None = None
    known_gap: bool = False
    text: str = ""


def leaves(expression: Expression | None) -> Iterator[Condition]:
    """Yield every comparison of an expression, as written; None has none."""
    if isinstance(expression, Condition):
        yield expression
        return
    for part in expression.parts if expression else ():
        yield from leaves(part)
