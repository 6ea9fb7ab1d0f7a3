"""Turns a backtest's report into the document from which text and page are written."""

from collections.abc import Iterable, Iterator, Sequence

from moderator.backtest.counting.examples import ExampleCondition
from moderator.backtest.report.document import Cell, Document, Fact, Fold, Row, Section, Table, number_cell
from moderator.backtest.report.tried_limits import tried_limit
from moderator.backtest.report.values import (
    ActionReport,
    BacktestReport,
    BudgetReport,
    EditedReport,
    EventsReport,
    ExampleReport,
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
from moderator.counted import counted
from moderator.labels.rates import LEAST_LABELS

_SHOWN_GROUPS = 15
_SHOWN_UNUSED = 20
_SHOWN_EXAMPLES = 50
_UNTOLD = "not counted: the baseline does not reproduce its own decisions"
_LABELS_NOTE = (
    f"Of labelled events alone, with 95% Wilson intervals; cells with fewer than {LEAST_LABELS} labels give no rate. "
    "Labels exist mostly for what was flagged: recall is as good as the labels of what was allowed."
)


def document_of(report: BacktestReport) -> Document:
    """Give the whole document; what was edited is all that follows fidelity while that is below 100%."""
    return Document(
        title=f"Backtest of {report.candidate.folder} against {report.baseline.folder}",
        caution=_caution(report),
        facts=(*_facts(report.events), _set("baseline", report.baseline), _set("candidate", report.candidate)),
        sections=tuple(_sections(report)),
        limits=tuple(map(tried_limit, report.limits)) if report.fidelity.is_whole else (),
    )


def _caution(report: BacktestReport) -> str:
    """Say which text signals are stale, and how many verdicts are therefore not known."""
    if not report.stale:
        return ""
    count = counted(report.events.count, "decision")
    each = [f"{one.signal} is stale in {one.decisions:,} of {count} ({one.why})" for one in report.stale]
    decided = f"{report.undecided:,} could not be decided" if report.undecided else "all could be decided"
    return "; ".join([*each, decided, *(["give --texts events.jsonl"] if report.undecided else [])])


def _facts(events: EventsReport) -> Iterator[Fact]:
    unscored = f", {events.unscored:,} unscored" if events.unscored else ""
    yield Fact("events", f"{events.count:,} of {events.source}{unscored}, decided {events.first} to {events.last}")
    if events.without_numbers:
        older = counted(events.without_numbers, "event was", "events were")
        yield Fact("facts", f"{older} recorded before numbers in metadata were kept: these have none")
    for model in events.models:
        yield Fact("model", f"{model.events:,} by {model.name} ({model.dtype}, {model.fingerprint})")


def _set(name: str, policies: SetReport) -> Fact:
    return Fact(name, f"{policies.folder}, snapshot {policies.snapshot}")


def _sections(report: BacktestReport) -> Iterator[Section]:
    is_whole = report.fidelity.is_whole
    yield _fidelity(report.fidelity)
    yield _edited(report.edited)
    yield _budgets(report.budgets) if is_whole else Section("Budgets", notes=(_UNTOLD,), section_id="budgets")
    if not is_whole:
        yield Section("Flips", notes=(_UNTOLD,), section_id="flips")
        return
    yield _flips(report)
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


def _fidelity(fidelity: FidelityReport) -> Section:
    differences = (f"{each.decision_id} of event {each.event_id}: {each.what}" for each in fidelity.differences)
    return Section("Replay fidelity", notes=(*fidelity_texts(fidelity), *differences), section_id="fidelity")


def _edited(edited: EditedReport) -> Section:
    lines = [line for change in edited.changes for line in change.text] or ["nothing that changes a meaning"]
    claim = [f"all verdicts: {edited.claim or 'no claim'}"] if edited.changes else []
    return Section("Edited", notes=(*lines, *claim), section_id="edited")


def _flips(report: BacktestReport) -> Section:
    before, after = (
        share_text(events, report.flips.events) for events in (report.flips.flagged_before, report.flips.flagged_after)
    )
    flips = report.flips.flips
    changes = counted(flips, "verdict changes", "verdicts change")
    summary = f"flagged {before} -> {after}; {changes} ({share_text(flips, report.flips.events)})"
    tables = [_matrix(report.flips)]
    tables += [_actions(report.actions)] if report.actions else []
    tables += [_examples(report.examples)] if report.examples else []
    more = (f"{_SHOWN_EXAMPLES} of {flips:,} events are shown; `--json` has more",) if flips > _SHOWN_EXAMPLES else ()
    return Section("Flips", lead=summary, tables=tuple(tables), notes=more, section_id="flips")


def _actions(cells: Sequence[ActionReport]) -> Table:
    """Lay out events by both actions, except for actions of none; those whose action changes are pointed out."""
    cells = [cell for cell in cells if _occurs(cell.before, cells, 0) and _occurs(cell.after, cells, 1)]
    columns = list(dict.fromkeys(cell.after for cell in cells))
    rows = []
    for before in dict.fromkeys(cell.before for cell in cells):
        events = {cell.after: cell.events for cell in cells if cell.before == before}
        row = (
            Cell(f"{events[after]:,}", "change" if events[after] and after != before else "number") for after in columns
        )
        rows.append((Cell(f"baseline {before or 'none'}"), *row))
    heads = ("", *(f"candidate {after or 'none'}" for after in columns))
    return Table("Events by both actions", heads, tuple(rows))


def _occurs(action: str | None, cells: Iterable[ActionReport], side: int) -> bool:
    return any(cell.events for cell in cells if (cell.before, cell.after)[side] == action)


def _examples(examples: Sequence[ExampleReport]) -> Table:
    rows = (
        (
            Cell(each.event_id),
            Cell(f"{each.before} -> {each.after}"),
            Cell(", ".join(each.rules) or "-"),
            Cell("; ".join(map(_condition_text, each.conditions)) or "-"),
        )
        for each in examples[:_SHOWN_EXAMPLES]
    )
    columns = ("event", "verdict", "rules", "signals and margins")
    return Table("Events whose verdict changes, nearest to a limit first", columns, tuple(rows), "flip-row")


def _condition_text(condition: ExampleCondition) -> str:
    if condition.score is None or condition.margin is None:
        return f"{condition.signal} missing, {condition.phrase}"
    score, margin = number_text(condition.score), margin_text(condition.margin)
    return f"{condition.signal} {score}, {condition.phrase}, {margin}"


def _matrix(flips: Matrix) -> Table:
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
    return Table("Events by both verdicts", ("", "candidate allow", "candidate flag", "sum"), rows)


def _rules(rules: Sequence[RuleReport]) -> Section:
    unchanged = [rule for rule in rules if rule.is_unchanged]
    changed = [rule for rule in rules if not rule.is_unchanged]
    fold = Fold(_without_change(len(unchanged)), _rule_table(unchanged)) if unchanged else None
    tables = (_rule_table(changed),) if changed else ()
    return Section("By rule", "events that the rule itself flags", tables=tables, fold=fold)


def _without_change(count: int) -> str:
    return f"{counted(count, 'rule')} without a change"


def _rule_table(rules: Iterable[RuleReport]) -> Table:
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
    return Table(caption, columns, tuple(rows))


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
    return Section(
        f"By {name}", tables=(Table(f"Events by {name}, most flips first", columns, tuple(rows)),), notes=more
    )


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
        tables=(Table("Labelled events by verdict", columns, tuple(rows)),),
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
    return Section("Nearest to the candidate's limits", tables=(table,))


def _unused(exceptions: Sequence[UnusedReport]) -> Section:
    shown = [f"{each.rule}: {each.exception}" for each in exceptions[:_SHOWN_UNUSED]]
    more = [f"and {len(exceptions) - _SHOWN_UNUSED} more"] if len(exceptions) > _SHOWN_UNUSED else []
    return Section("Exceptions of the candidate that exempted no event", notes=(*shown, *more))


def _budgets(budgets: Iterable[BudgetReport]) -> Section:
    facts = tuple(
        Fact("broken" if budget.is_broken else "kept", f"{budget.rule}: {budget_text(budget)}", budget.is_broken)
        for budget in budgets
    )
    none = () if facts else ("no rule of the candidate has a budget",)
    return Section("Budgets", "share of all events that the rule flags", facts=facts, notes=none, section_id="budgets")


def _moves(flips: Matrix) -> Iterator[Cell]:
    yield Cell(f"+{flips.allow_flag:,}" if flips.allow_flag else "0", "number")
    yield Cell(f"-{flips.flag_allow:,}" if flips.flag_allow else "0", "number")


def _share(events: int, of: int) -> Cell:
    return Cell(share_text(events, of), "number")
