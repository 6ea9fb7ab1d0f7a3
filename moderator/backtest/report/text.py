"""The backtest's report as plain text: sections of aligned columns, for a terminal or a log."""

from collections.abc import Iterable, Iterator, Sequence

from moderator.backtest.counting.limits import LimitReport, LimitRow
from moderator.backtest.counting.rates import LEAST_LABELS
from moderator.backtest.report.tables import (
    BacktestReport,
    GroupReport,
    LabelsReport,
    Matrix,
    RuleReport,
)
from moderator.backtest.report.wording import (
    SHOWN_GROUPS,
    SHOWN_UNUSED,
    budget_text,
    cell_text,
    fidelity_texts,
    margin_text,
    number_text,
    rate_text,
    share_text,
)
from moderator.policy.syntax.diagnostics import printable

Row = Sequence[str]


def backtest_text(report: BacktestReport) -> str:
    """Write the whole report; nothing but the fidelity where that is not whole."""
    sections: list[Iterable[str]] = [_head(report), _fidelity(report)]
    if report.fidelity.is_whole:
        sections += [
            _flips(report.flips),
            _rules(report.rules),
            *(_groups(name, groups) for name, groups in report.groups.items()),
            _labels(report.labels) if report.labels else [],
            _nearest(report),
            _unused(report),
            _budgets(report),
            *(_sweep(limit) for limit in report.limits if limit.is_swept),
        ]
    # names and ids come from the decisions, which may hold what steers a terminal
    return "\n\n".join(text for section in sections if (text := "\n".join(map(printable, section)))) + "\n"


def _head(report: BacktestReport) -> Iterator[str]:
    events = report.events
    unscored = f", {events.unscored:,} unscored" if events.unscored else ""
    yield f"events     {events.count:,} of {events.source}{unscored}, decided {events.first} to {events.last}"
    for model in events.models:
        yield f"model      {model.events:,} by {model.name} ({model.dtype}, {model.fingerprint[:19]})"
    yield f"baseline   {report.baseline.folder}, snapshot {report.baseline.snapshot}"
    yield f"candidate  {report.candidate.folder}, snapshot {report.candidate.snapshot}"


def _fidelity(report: BacktestReport) -> Iterator[str]:
    yield "REPLAY FIDELITY"
    yield from (f"  {text}" for text in fidelity_texts(report))
    for each in report.fidelity.differences:
        yield f"  {each.decision_id} of event {each.event_id}: {each.what}"


def _flips(flips: Matrix) -> Iterator[str]:
    yield "FLIPS"
    yield from _table(
        [
            ["", "candidate allow", "candidate flag", "sum"],
            ["baseline allow", *_counts(flips.allow_allow, flips.allow_flag)],
            ["baseline flag", *_counts(flips.flag_allow, flips.flag_flag)],
            ["sum", *_counts(flips.events - flips.flagged_after, flips.flagged_after)],
        ]
    )
    before, after = (share_text(count, flips.events) for count in (flips.flagged_before, flips.flagged_after))
    yield f"  flagged {before} -> {after}; {flips.flips:,} verdicts change ({share_text(flips.flips, flips.events)})"


def _counts(allow: int, flag: int) -> list[str]:
    return [f"{allow:,}", f"{flag:,}", f"{allow + flag:,}"]


def _rules(rules: Sequence[RuleReport]) -> Iterator[str]:
    yield "BY RULE (events that the rule itself flags)"
    rows = [
        [
            rule.rule,
            rule.baseline or "-",
            rule.candidate or "-",
            *_changes(rule.flips),
            f"{rule.watched:,}",
        ]
        for rule in rules
    ]
    header = ["rule", "baseline", "candidate", "before", "after", "gained", "lost", "watched"]
    yield from _table([header, *rows])


def _groups(name: str, groups: Sequence[GroupReport]) -> Iterator[str]:
    if all(group.value is None for group in groups):
        return
    yield f"BY {name.upper()}"
    rows = [
        [printable(group.value or "(none)"), f"{group.flips.events:,}", *_shares(group.flips), *_moved(group.flips)]
        for group in groups[:SHOWN_GROUPS]
    ]
    yield from _table([[name, "events", "flagged before", "after", "gained", "lost"], *rows])
    if len(groups) > SHOWN_GROUPS:
        yield f"  and {len(groups) - SHOWN_GROUPS:,} more with fewer flips; `--json` has them all"


def _changes(flips: Matrix) -> list[str]:
    return [f"{flips.flagged_before:,}", f"{flips.flagged_after:,}", *_moved(flips)]


def _shares(flips: Matrix) -> list[str]:
    return [share_text(count, flips.events) for count in (flips.flagged_before, flips.flagged_after)]


def _moved(flips: Matrix) -> list[str]:
    return [
        f"+{flips.allow_flag:,}" if flips.allow_flag else "0",
        f"-{flips.flag_allow:,}" if flips.flag_allow else "0",
    ]


def _labels(labels: LabelsReport) -> Iterator[str]:
    yield f"LABELS ({labels.given:,} given, {labels.unused:,} of other events)"
    rows = [
        [
            cell_text(cell),
            f"{cell.events:,}",
            f"{cell.labelled:,}",
            share_text(cell.labelled, cell.events),
            f"{cell.deserve_flag.count:,}",
            f"{cell.labelled - cell.deserve_flag.count:,}",
            rate_text(cell.deserve_flag),
        ]
        for cell in labels.cells
    ]
    header = [
        "events by verdict",
        "events",
        "labelled",
        "coverage",
        "said flag",
        "said allow",
        "share that deserves flag",
    ]
    yield from _table([header, *rows])
    for name, rates in (("precision", labels.precision), ("recall", labels.recall)):
        yield f"  {name:<9}  baseline {rate_text(rates[0])}; candidate {rate_text(rates[1])}"
    yield (
        f"  Of labelled events alone, with 95% Wilson intervals; cells with fewer than {LEAST_LABELS} labels give no "
        "rate. Labels exist mostly for what was flagged: recall is as good as the labels of what was allowed."
    )


def _nearest(report: BacktestReport) -> Iterator[str]:
    if not report.nearest:
        return
    yield "NEAREST TO THE CANDIDATE'S LIMITS"
    rows = [
        [
            f"{near.rule}: {near.signal} {near.phrase}",
            printable(event.event_id),
            printable(event.tenant or "-"),
            number_text(event.score),
            margin_text(event.margin),
        ]
        for near in report.nearest
        for event in near.events
    ]
    yield from _table([["limit", "event", "tenant", "score", "margin"], *_once(rows)])


def _once(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    """Leave out what the first column says again."""
    last = None
    for row in rows:
        yield row if row[0] != last else ["", *row[1:]]
        last = row[0]


def _unused(report: BacktestReport) -> Iterator[str]:
    if not report.unused_exceptions:
        return
    yield "EXCEPTIONS OF THE CANDIDATE THAT SPARED NO EVENT"
    for unused in report.unused_exceptions[:SHOWN_UNUSED]:
        yield f"  {unused.rule}: {unused.exception}"
    if len(report.unused_exceptions) > SHOWN_UNUSED:
        yield f"  and {len(report.unused_exceptions) - SHOWN_UNUSED} more"


def _budgets(report: BacktestReport) -> Iterator[str]:
    if not report.budgets:
        return
    yield "BUDGETS (share of all events that the rule flags)"
    yield from (
        f"  {'broken' if budget.is_broken else 'kept':<6}  {budget.rule}: {budget_text(budget)}"
        for budget in report.budgets
    )


def _sweep(limit: LimitReport) -> Iterator[str]:
    side = "" if limit.part == "when" else "unless "
    unit = f" {limit.unit}" if limit.unit else ""
    yield f"SWEEP OF {limit.rule}: {side}{limit.signal} {limit.comparison} …{unit}"
    yield "  tried on all events, the rule as if live, all else as it is; limits left out change nothing"
    rows = [
        [
            number_text(row.limit),
            _mark(row.limit, limit),
            f"{row.flagged or 0:,}",
            f"{row.flagged_share or 0:.2%}",
            rate_text(row.precision),
        ]
        for row in _telling(limit)
    ]
    yield from _table([["limit", "", "flagged", "share", "precision"], *rows])


def _telling(limit: LimitReport) -> Iterator[LimitRow]:
    """Leave out limits that flag what both their neighbours flag."""
    rows = limit.rows
    for before, row, after in zip((None, *rows), rows, (*rows[1:], None), strict=False):
        neighbours = {each.flagged if each else None for each in (before, after)}
        if neighbours != {row.flagged} or _mark(row.limit, limit):
            yield row


def _mark(value: float, limit: LimitReport) -> str:
    marks = {"baseline": limit.baseline_limit, "candidate": limit.candidate_limit}
    return ", ".join(name for name, at in marks.items() if at == value)


def _table(rows: Sequence[Row] | Iterable[Row]) -> Iterator[str]:
    """Align columns: numbers to the right, words to the left."""
    lines = list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    is_number = [_is_numeric(column[1:]) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, is_number, strict=True)
        ]
        yield f"  {'  '.join(cells)}".rstrip()


def _is_numeric(texts: Iterable[str]) -> bool:
    return all(not text or text[0] in "+-0123456789" for text in texts) and any(texts)
