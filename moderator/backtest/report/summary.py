"""Turns a backtest's counts into its report."""

from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from moderator.backtest.counting.fidelity import Fidelity
from moderator.backtest.counting.flips import Cell
from moderator.backtest.counting.limits import limit_reports
from moderator.backtest.report.values import (
    ActionReport,
    BacktestReport,
    BudgetReport,
    CellReport,
    EditedReport,
    EditReport,
    EventsReport,
    ExampleReport,
    FidelityReport,
    GroupReport,
    LabelsReport,
    Matrix,
    ModelCount,
    NearestReport,
    NearReport,
    RuleReport,
    SetReport,
    StaleReport,
    UnreproducedReport,
    UnusedReport,
)
from moderator.backtest.run import Counts, Plan
from moderator.events import Verdict
from moderator.labels.rates import rate
from moderator.policy import PolicySet
from moderator.policy.analysis.diff import Change, diff
from moderator.policy.analysis.diff_text import change_lines
from moderator.policy.language.ast import Rule

VERDICTS: tuple[Verdict, ...] = ("allow", "flag")


def backtest_report(plan: Plan, counts: Counts, source: str, folders: tuple[str, str]) -> BacktestReport:
    """Build the report; `folders` are the names of the baseline's and the candidate's."""
    events = sum(counts.flips.overall.values())
    difference = diff(plan.baseline, plan.candidate)
    edited = {name for change in difference.changes for name in _rules_of(change)}
    return BacktestReport(
        events=EventsReport(
            source,
            counts.models.total(),
            counts.first,
            counts.last,
            _models(counts),
            counts.unscored,
            counts.without_numbers,
        ),
        baseline=SetReport(folders[0], plan.baseline.snapshot),
        candidate=SetReport(folders[1], plan.candidate.snapshot),
        stale=tuple(StaleReport(name, number, why) for (name, why), number in counts.stale.most_common()),
        undecided=counts.undecided,
        fidelity=_fidelity(counts.fidelity),
        edited=EditedReport(difference.claim, tuple(map(_edit, difference.changes))),
        budgets=tuple(sorted(_budgets(plan.candidate, counts, events), key=lambda each: not each.is_broken)),
        flips=_matrix(counts.flips.overall),
        actions=tuple(_actions(plan, counts)),
        examples=tuple(ExampleReport(*each[2:]) for each in counts.examples.kept),
        rules=tuple(sorted(_rules(plan, counts, edited, events), key=_rule_order)),
        groups={name: _groups(groups) for name, groups in counts.flips.groups.items()},
        labels=_labels(plan, counts) if plan.labels.verdicts else None,
        nearest=tuple(_nearest(plan.candidate, counts)),
        unused_exceptions=tuple(_unused(plan.candidate, counts)),
        limits=limit_reports(plan.baseline, plan.candidate, counts.curves, _main_model(counts)),
    )


def _edit(change: Change) -> EditReport:
    text = tuple(change_lines(change))
    return EditReport(change.kind, change.what, change.lines, change.claim, change.warning or None, text)


def _rules_of(change: Change) -> tuple[str, ...]:
    return tuple(placed.rule.id for placed in change.versions) if change.versions else (change.what,)


def _main_model(counts: Counts) -> str:
    return counts.models.most_common(1)[0][0][0] if counts.models else ""


def _models(counts: Counts) -> tuple[ModelCount, ...]:
    return tuple(ModelCount(*model, events) for model, events in counts.models.most_common())


def _fidelity(fidelity: Fidelity) -> FidelityReport:
    others = {name: count for name, count in fidelity.snapshots.most_common() if name != fidelity.snapshot}
    differences = (UnreproducedReport(each.decision_id, each.event_id, each.what) for each in fidelity.unreproduced)
    return FidelityReport(fidelity.compared, fidelity.compared - fidelity.differing, others, tuple(differences))


def _matrix(cells: Mapping[Cell, int]) -> Matrix:
    return Matrix(*(cells.get((before, after), 0) for before in VERDICTS for after in VERDICTS))


def _actions(plan: Plan, counts: Counts) -> Iterator[ActionReport]:
    before, after = plan.baseline.settings.actions, plan.candidate.settings.actions
    if before or after:
        for was in (None, *before):
            for now in (None, *after):
                yield ActionReport(was, now, counts.flips.actions[was, now])


def _groups(groups: Mapping[str | None, Mapping[Cell, int]]) -> tuple[GroupReport, ...]:
    reports = [GroupReport(value, _matrix(cells)) for value, cells in groups.items()]
    return tuple(sorted(reports, key=lambda group: (-group.flips.flips, -group.flips.events, group.value or "")))


def _rules(plan: Plan, counts: Counts, edited: AbstractSet[str], events: int) -> Iterator[RuleReport]:
    before, after = ({rule.id: rule.mode for rule in each.rules} for each in (plan.baseline, plan.candidate))
    for rule in before.keys() | after.keys():
        both = counts.rules.both[rule]
        lost, gained = counts.rules.baseline[rule] - both, counts.rules.candidate[rule] - both
        flips = Matrix(events - both - lost - gained, gained, lost, both)
        yield RuleReport(rule, before.get(rule), after.get(rule), flips, counts.rules.watched[rule], rule in edited)


def _rule_order(rule: RuleReport) -> tuple[int, str]:
    return -rule.flips.flips, rule.rule


def _labels(plan: Plan, counts: Counts) -> LabelsReport:
    sides: list[tuple[Verdict | None, Verdict | None]] = [
        *((verdict, None) for verdict in reversed(VERDICTS)),
        *((None, verdict) for verdict in reversed(VERDICTS)),
        *((before, after) for before in VERDICTS for after in VERDICTS),
    ]
    cells = tuple(_cell(before, after, counts) for before, after in sides)
    deserving = sum(count for (_, label), count in counts.confusion.cells.items() if label == "flag")
    flagged = [next(cell for cell in cells if (cell.baseline, cell.candidate) == side) for side in (sides[0], sides[2])]
    return LabelsReport(
        given=len(plan.labels.verdicts),
        unused=len(plan.labels.verdicts) - len(counts.confusion.found),
        cells=cells,
        precision=(flagged[0].deserve_flag, flagged[1].deserve_flag),
        recall=(rate(flagged[0].deserve_flag.count, deserving), rate(flagged[1].deserve_flag.count, deserving)),
    )


def _cell(before: Verdict | None, after: Verdict | None, counts: Counts) -> CellReport:
    def belongs(cell: Cell) -> bool:
        return before in (None, cell[0]) and after in (None, cell[1])

    events = sum(count for cell, count in counts.flips.overall.items() if belongs(cell))
    labels: Counter[Verdict] = Counter()
    for (cell, label), count in counts.confusion.cells.items():
        if belongs(cell):
            labels[label] += count
    return CellReport(before, after, events, labels.total(), rate(labels["flag"], labels.total()))


def _nearest(candidate: PolicySet, counts: Counts) -> Iterator[NearestReport]:
    rules = {rule.id: rule for rule in candidate.rules}
    for (rule, index), events in sorted(counts.nearest.events.items()):
        condition = rules[rule].conditions[index]
        near = (NearReport(each.event_id, each.tenant, each.score, each.margin) for each in events)
        yield NearestReport(rule, condition.signal.name, condition.phrase, tuple(near))


def _unused(candidate: PolicySet, counts: Counts) -> Iterator[UnusedReport]:
    for rule in candidate.active_rules:
        for exception in _exceptions(rule, candidate):
            if not counts.exemption_matches.counts[rule.id, exception]:
                yield UnusedReport(rule.id, exception)


def _exceptions(rule: Rule, candidate: PolicySet) -> Iterator[str]:
    """Name a rule's exceptions as decisions record them."""
    yield from (f"except {number}" for number in range(1, len(rule.exempt_scopes) + 1))
    yield from (exemption.name for exemption in candidate.exemptions if rule.id in exemption.covers)


def _budgets(candidate: PolicySet, counts: Counts, events: int) -> Iterator[BudgetReport]:
    for rule in candidate.active_rules:
        if rule.flag_share is not None:
            flagged = counts.rules.candidate[rule.id]
            is_broken = flagged * 100 > rule.flag_share * events
            yield BudgetReport(rule.id, float(rule.flag_share), 100 * flagged / max(1, events), is_broken)
