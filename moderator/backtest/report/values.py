"""What a backtest reports, as values for JSON, text and page. It holds ids, never text of events."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from moderator.backtest.counting.examples import ExampleCondition
from moderator.backtest.counting.flips import GroupField
from moderator.backtest.counting.limits import LimitReport
from moderator.events import Verdict
from moderator.labels.rates import Rate
from moderator.policy.analysis.diff import Claim, Kind
from moderator.policy.language.ast import RuleMode

WITHOUT_FIDELITY: Final = ("events", "baseline", "candidate", "stale", "undecided", "fidelity", "edited")


@dataclass(frozen=True, slots=True)
class ModelCount:
    """Events that one model scored."""

    name: str
    fingerprint: str
    dtype: str
    events: int


@dataclass(frozen=True, slots=True)
class EventsReport:
    """Which events were counted; `first` and `last` are when the earliest and the latest decision was made.

    Attributes:
        without_numbers: those recorded before numbers in `metadata` were kept, where the candidate reads facts.
    """

    source: str
    count: int
    first: str
    last: str
    models: tuple[ModelCount, ...]
    unscored: int
    without_numbers: int


@dataclass(frozen=True, slots=True)
class StaleReport:
    """A text signal of the candidate that cannot use the recorded numbers of some decisions, and why."""

    signal: str
    decisions: int
    why: str


@dataclass(frozen=True, slots=True)
class SetReport:
    """One of the policy sets."""

    folder: str
    snapshot: str


@dataclass(frozen=True, slots=True)
class UnreproducedReport:
    """A decision that the baseline does not reproduce; `what` names the first part that differs."""

    decision_id: str
    event_id: str
    what: str


@dataclass(frozen=True, slots=True)
class FidelityReport:
    """How many of the decisions that the baseline's snapshot made are reproduced exactly.

    Attributes:
        others: decisions by the other snapshots that made them, most first.
        differences: the first ten that are not reproduced.
    """

    compared: int
    reproduced: int
    others: Mapping[str, int]
    differences: tuple[UnreproducedReport, ...]

    @property
    def is_whole(self) -> bool:
        """There is at least one, and every one is reproduced."""
        return 0 < self.compared == self.reproduced


@dataclass(frozen=True, slots=True)
class EditReport:
    """One thing that the candidate says otherwise; see `policy.analysis.diff.Change`. `text` is all of it in lines."""

    kind: Kind
    what: str
    lines: tuple[str, ...]
    claim: Claim | None
    warning: str | None
    text: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EditedReport:
    """What was edited; `claim` is proven of every event's verdict, None where nothing is."""

    claim: Claim | None
    changes: tuple[EditReport, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Events by the baseline's verdict and the candidate's, in this order."""

    allow_allow: int
    allow_flag: int
    flag_allow: int
    flag_flag: int

    @property
    def events(self) -> int:
        """All of them."""
        return self.allow_allow + self.allow_flag + self.flag_allow + self.flag_flag

    @property
    def flips(self) -> int:
        """Those whose verdict changes."""
        return self.allow_flag + self.flag_allow

    @property
    def flagged_before(self) -> int:
        """Those that the baseline flags."""
        return self.flag_allow + self.flag_flag

    @property
    def flagged_after(self) -> int:
        """Those that the candidate flags."""
        return self.allow_flag + self.flag_flag


@dataclass(frozen=True, slots=True)
class ActionReport:
    """How many events have one action by the baseline and one by the candidate; None: none."""

    before: str | None
    after: str | None
    events: int


@dataclass(frozen=True, slots=True)
class GroupReport:
    """The events of one tenant, channel or locale; `value` is None for events that name none."""

    value: str | None
    flips: Matrix


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What one rule flags; a mode of None means that the set does not have it.

    Attributes:
        flips: allow and flag here mean that the rule itself flags, or does not.
        watched: events that it matches in the candidate without flagging: as shadow, or outside of its rollout.
        is_edited: the candidate says it otherwise.
    """

    rule: str
    baseline: RuleMode | None
    candidate: RuleMode | None
    flips: Matrix
    watched: int
    is_edited: bool

    @property
    def is_unchanged(self) -> bool:
        """Neither edited nor flagging other events."""
        return not self.is_edited and not self.flips.flips


@dataclass(frozen=True, slots=True)
class ExampleReport:
    """One event whose verdict flips; see `counting.examples.Example`."""

    decision_id: str
    event_id: str
    tenant: str | None
    before: Verdict
    after: Verdict
    rules: tuple[str, ...]
    conditions: tuple[ExampleCondition, ...]


@dataclass(frozen=True, slots=True)
class CellReport:
    """Events of one verdict, or of one cell of the flip matrix, with the labels that people gave them.

    Attributes:
        baseline, candidate: the verdicts that make the cell; None for either.
        labelled: how many of the events have a label.
        deserve_flag: of the labelled ones, those labelled flag.
    """

    baseline: Verdict | None
    candidate: Verdict | None
    events: int
    labelled: int
    deserve_flag: Rate


@dataclass(frozen=True, slots=True)
class LabelsReport:
    """The labels that people gave.

    Attributes:
        given: labels in the file.
        unused: labels of events that are not among these.
        cells: by baseline's verdict, by candidate's, and by both.
        precision: of the labelled events that a set flags, those labelled flag; baseline first.
        recall: of the events labelled flag, those that a set flags; baseline first.
    """

    given: int
    unused: int
    cells: tuple[CellReport, ...]
    precision: tuple[Rate, Rate]
    recall: tuple[Rate, Rate]


@dataclass(frozen=True, slots=True)
class NearReport:
    """An event near a limit; score and margin on the signal's scale, a positive margin means that it holds."""

    event_id: str
    tenant: str | None
    score: float | None
    margin: float


@dataclass(frozen=True, slots=True)
class NearestReport:
    """The events nearest to one limit of the candidate, nearest first."""

    rule: str
    signal: str
    phrase: str
    events: tuple[NearReport, ...]


@dataclass(frozen=True, slots=True)
class UnusedReport:
    """An exception of the candidate that exempted no event: an item of a rule's `except`, or an exemption."""

    rule: str
    exception: str


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """A rule's budget: the percentage of all events that it may flag, and that it does flag."""

    rule: str
    at_most_percent: float
    percent: float
    is_broken: bool


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """Everything that a backtest reports, in the order in which it is shown.

    Broken budgets come before those that are kept, rules and groups with the most flips first.

    Attributes:
        stale: most decisions first.
        undecided: decisions whose outcome depends on a stale number; no table counts them.
        actions: only where one of the sets has actions; mildest first, none before all.
        examples: events whose verdict flips, at most 1,000, nearest to a limit first; see `run.Plan.newest`.
    """

    events: EventsReport
    baseline: SetReport
    candidate: SetReport
    stale: tuple[StaleReport, ...]
    undecided: int
    fidelity: FidelityReport
    edited: EditedReport
    budgets: tuple[BudgetReport, ...]
    flips: Matrix
    actions: tuple[ActionReport, ...]
    examples: tuple[ExampleReport, ...]
    rules: tuple[RuleReport, ...]
    groups: Mapping[GroupField, tuple[GroupReport, ...]]
    labels: LabelsReport | None
    nearest: tuple[NearestReport, ...]
    unused_exceptions: tuple[UnusedReport, ...]
    limits: tuple[LimitReport, ...]

    @property
    def record(self) -> dict[str, object]:
        """The report as JSON shows it; without full fidelity no number that depends on the candidate."""
        record = asdict(self)
        if self.fidelity.is_whole:
            return record
        return {name: record[name] for name in WITHOUT_FIDELITY}
