"""Turns a backtest's report into the document from which text and page are written."""

from collections.abc import Iterable, Iterator, Sequence

from moderator.backtest.report.document import Cell, Document, Fact, Row, Section, Table, number_cell
from moderator.backtest.report.tried_limits import tried_limit
from moderator.backtest.report.values import (
    BacktestReport,
    BudgetReport,
    EventsReport,
    FidelityReport,
    GroupReport,
    LabelsReport,
    Matrix,
    NearestReport,
    RuleReport,
    SetReport,
    UnusedReport,
)
from moderator.backtest.report.wording import (
    budget_text,
    cell_text,
    fidelity_texts,
    margin_text,
    number_text,
    rate_text,
    share_text,
)
from moderator.labels.rates import LEAST_LABELS

_SHOWN_GROUPS = 15
_SHOWN_UNUSED = 20
_LABELS_NOTE = (
    f"Of labelled events alone, with 95% Wilson intervals; cells with fewer than {LEAST_LABELS} labels give no rate. "
    "Labels exist mostly for what was flagged: recall is as good as the labels of what was allowed."
)


def document_of(report: BacktestReport) -> Document:
    """Give the whole document; only facts and fidelity while the fidelity is below 100%."""
    return Document(
        title=f"Backtest of {report.candidate.folder} against {report.baseline.folder}",
        facts=(*_facts(report.events), _set("baseline", report.baseline), _set("candidate", report.candidate)),
        sections=tuple(_sections(report)),
        limits=tuple(map(tried_limit, report.limits)) if report.fidelity.is_whole else (),
    )


def _facts(events: EventsReport) -> Iterator[Fact]:
    unscored = f", {events.unscored:,} unscored" if events.unscored else ""
    yield Fact("events", f"{events.count:,} of {events.source}{unscored}, decided {events.first} to {events.last}")
    for model in events.models:
        yield Fact("model", f"{model.events:,} by {model.name} ({model.dtype}, {model.fingerprint})")


def _set(name: str, policies: SetReport) -> Fact:
    return Fact(name, f"{policies.folder}, snapshot {policies.snapshot}")


def _sections(report: BacktestReport) -> Iterator[Section]:
    yield _fidelity(report.fidelity)
    if not report.fidelity.is_whole:
        return
    yield _flips(report.flips)
    yield _rules(report.rules)
    for name, groups in report.groups.items():
        if any(group.value is not None for group in groups):
            yield _groups(name, groups)
    if report.labels:
        yield _labels(report.labels)
    if report.nearest:
        yield _nearest(report.nearest)
    if report.unused_exceptions:
        yield _unused(report.unused_exceptions)
    if report.budgets:
        yield _budgets(report.budgets)


def _fidelity(fidelity: FidelityReport) -> Section:
    differences = (f"{each.decision_id} of event {each.event_id}: {each.what}" for each in fidelity.differences)
    return Section("Replay fidelity", notes=(*fidelity_texts(fidelity), *differences))


def _flips(flips: Matrix) -> Section:
    def row(name: str, *cells: Cell) -> Row:
        return Cell(name), *cells

    def count(events: int, *, is_change: bool = False) -> Cell:
        return Cell(f"{events:,}", "change" if is_change and events else "number", share_text(events, flips.events))

    allowed_before, allowed_after = flips.events - flips.flagged_before, flips.events - flips.flagged_after
    changed = count(flips.allow_flag, is_change=True), count(flips.flag_allow, is_change=True)
    rows = (
        row("baseline allow", count(flips.allow_allow), changed[0], count(allowed_before)),
        row("baseline flag", changed[1], count(flips.flag_flag), count(flips.flagged_before)),
        row("sum", count(allowed_after), count(flips.flagged_after), count(flips.events)),
    )
    before, after = (share_text(events, flips.events) for events in (flips.flagged_before, flips.flagged_after))
    summary = f"flagged {before} -> {after}; {flips.flips:,} verdicts change ({share_text(flips.flips, flips.events)})"
    columns = ("", "candidate allow", "candidate flag", "sum")
    return Section("Flips", table=Table("Events by both verdicts", columns, rows), notes=(summary,))


def _rules(rules: Iterable[RuleReport]) -> Section:
    caption = "Watched: events that the rule matches without flagging, as shadow or outside of its rollout"
    columns = ("rule", "baseline", "candidate", "before", "after", "gained", "lost", "watched")
    rows = (
        (
            *map(Cell, (rule.rule, rule.baseline or "-", rule.candidate or "-")),
            number_cell(rule.flips.flagged_before),
            number_cell(rule.flips.flagged_after),
            *_moves(rule.flips),
            number_cell(rule.watched),
        )
        for rule in rules
    )
    return Section("By rule", "events that the rule itself flags", Table(caption, columns, tuple(rows)))


def _groups(name: str, groups: Sequence[GroupReport]) -> Section:
    rows = (
        (
            Cell(group.value or "(none)"),
            number_cell(group.flips.events),
            _share(group.flips.flagged_before, group.flips.events),
            _share(group.flips.flagged_after, group.flips.events),
            *_moves(group.flips),
        )
        for group in groups[:_SHOWN_GROUPS]
    )
    columns = (name, "events", "flagged before", "after", "gained", "lost")
    left_out = len(groups) - _SHOWN_GROUPS
    more = (f"and {left_out:,} more with fewer flips; `--json` has them all",) if left_out > 0 else ()
    return Section(f"By {name}", table=Table(f"Events by {name}, most flips first", columns, tuple(rows)), notes=more)


def _labels(labels: LabelsReport) -> Section:
    rows = (
        (
            Cell(cell_text(cell)),
            number_cell(cell.events),
            number_cell(cell.labelled),
            _share(cell.labelled, cell.events),
            number_cell(cell.deserve_flag.count),
            number_cell(cell.labelled - cell.deserve_flag.count),
            Cell(rate_text(cell.deserve_flag)),
        )
        for cell in labels.cells
    )
    columns = (
        "events by verdict",
        "events",
        "labelled",
        "coverage",
        "said flag",
        "said allow",
        "share that deserves flag",
    )
    return Section(
        "Labels",
        f"{labels.given:,} given, {labels.unused:,} of other events",
        Table("Labelled events by verdict", columns, tuple(rows)),
        facts=tuple(
            Fact(name, f"baseline {rate_text(before)}; candidate {rate_text(after)}")
            for name, (before, after) in (("precision", labels.precision), ("recall", labels.recall))
        ),
        notes=(_LABELS_NOTE,),
    )


def _nearest(limits: Iterable[NearestReport]) -> Section:
    rows = (
        (
            *map(Cell, (f"{near.rule}: {near.signal} {near.phrase}", event.event_id, event.tenant or "-")),
            Cell(number_text(event.score), "number"),
            Cell(margin_text(event.margin)),
        )
        for near in limits
        for event in near.events
    )
    columns = ("limit", "event", "tenant", "score", "margin")
    table = Table("Events that a small change of a limit affects first", columns, tuple(rows))
    return Section("Nearest to the candidate's limits", table=table)


def _unused(exceptions: Sequence[UnusedReport]) -> Section:
    shown = [f"{each.rule}: {each.exception}" for each in exceptions[:_SHOWN_UNUSED]]
    more = [f"and {len(exceptions) - _SHOWN_UNUSED} more"] if len(exceptions) > _SHOWN_UNUSED else []
    return Section("Exceptions of the candidate that exempted no event", notes=(*shown, *more))


def _budgets(budgets: Iterable[BudgetReport]) -> Section:
    facts = (
        Fact("broken" if budget.is_broken else "kept", f"{budget.rule}: {budget_text(budget)}", budget.is_broken)
        for budget in budgets
    )
    return Section("Budgets", "share of all events that the rule flags", facts=tuple(facts))


def _moves(flips: Matrix) -> Iterator[Cell]:
    yield Cell(f"+{flips.allow_flag:,}" if flips.allow_flag else "0", "number")
    yield Cell(f"-{flips.flag_allow:,}" if flips.flag_allow else "0", "number")


def _share(events: int, of: int) -> Cell:
    return Cell(share_text(events, of), "number")
