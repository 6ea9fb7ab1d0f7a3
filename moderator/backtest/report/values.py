"""What a backtest tells: values for JSON, text and page alike. Knows ids, never text."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from moderator.backtest.counting.flips import GroupField
from moderator.backtest.counting.limits import LimitReport
from moderator.backtest.counting.rates import Rate
from moderator.events import Verdict
from moderator.policy.language.ast import RuleMode


@dataclass(frozen=True, slots=True)
class ModelCount:
    """Events that one model scored."""

    name: str
    fingerprint: str
    dtype: str
    events: int


@dataclass(frozen=True, slots=True)
class EventsReport:
    """Which events these are; `first` and `last` tell when the earliest and the latest were decided."""

    source: str
    count: int
    first: str
    last: str
    models: tuple[ModelCount, ...]
    unscored: int


@dataclass(frozen=True, slots=True)
class SetReport:
    """One of the policy sets."""

    folder: str
    snapshot: str


@dataclass(frozen=True, slots=True)
class DifferenceReport:
    """A decision of the baseline that came out otherwise; `what` names the first part that differs."""

    decision_id: str
    event_id: str
    what: str


@dataclass(frozen=True, slots=True)
class FidelityReport:
    """How many of the decisions that the baseline's snapshot made come out just as recorded.

    Attributes:
        others: decisions by the other snapshots that made them, most first.
        differences: the first ten.
    """

    compared: int
    reproduced: int
    others: Mapping[str, int]
    differences: tuple[DifferenceReport, ...]

    @property
    def is_whole(self) -> bool:
        """Every one of at least one is reproduced."""
        return 0 < self.compared == self.reproduced


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
class GroupReport:
    """The events of one tenant, channel or locale; `value` is None for events that name none."""

    value: str | None
    flips: Matrix


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What one rule flags; its modes say in which of the sets it stands.

    Attributes:
        flips: allow and flag here mean that the rule itself flags, or does not.
        watched: events that it matches in the candidate without flagging: as shadow, or outside of its rollout.
    """

    rule: str
    baseline: RuleMode | None
    candidate: RuleMode | None
    flips: Matrix
    watched: int


@dataclass(frozen=True, slots=True)
class CellReport:
    """Events of one verdict, or of one cell of the flip matrix, beside what people said of them.

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
    """What people said.

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
    """An event beside a limit; score and margin on the signal's scale, a positive margin means that it holds."""

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
    """An exception of the candidate that spared nobody: an item of a rule's `except`, or an exemption and its rule."""

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
    """Everything that a backtest tells, beside its fidelity; rules and groups with the most flips come first."""

    events: EventsReport
    baseline: SetReport
    candidate: SetReport
    fidelity: FidelityReport
    flips: Matrix
    rules: tuple[RuleReport, ...]
    groups: Mapping[GroupField, tuple[GroupReport, ...]]
    labels: LabelsReport | None
    nearest: tuple[NearestReport, ...]
    unused_exceptions: tuple[UnusedReport, ...]
    budgets: tuple[BudgetReport, ...]
    limits: tuple[LimitReport, ...]

    @property
    def record(self) -> dict[str, object]:
        """The report as JSON has it; nothing but the fidelity where that is not whole."""
        record = asdict(self)
        if self.fidelity.is_whole:
            return record
        return {name: record[name] for name in ("events", "baseline", "candidate", "fidelity")}
