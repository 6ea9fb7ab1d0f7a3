"""One limit of the candidate as the document shows it: how the scores lie, and what other limits would do."""

from collections.abc import Iterable, Iterator

from moderator.backtest.counting.limits import LimitReport, LimitRow
from moderator.backtest.report.document import Cell, Limit, Table, number_cell
from moderator.backtest.report.wording import number_text, rate_text


def tried_limit(limit: LimitReport) -> Limit:
    """Give the limit with its tables."""
    side = "" if limit.part == "when" else "unless "
    unit = f" {limit.unit}" if limit.unit else ""
    scores = (
        (Cell(f"{number_text(bar.low)} to {number_text(bar.high)}"), number_cell(bar.events)) for bar in limit.bars
    )
    return Limit(
        f"{limit.rule}: {side}{limit.signal} {limit.comparison} …{unit}",
        limit,
        Table("Events by score", ("score", "events"), tuple(scores)),
        _tried(limit, limit.rows, has_recall=True),
        _tried(limit, _decisive(limit), has_recall=False) if limit.is_swept else None,
    )


def _tried(limit: LimitReport, rows: Iterable[LimitRow], *, has_recall: bool) -> Table:
    counts = ("flagged", "share") if limit.is_swept else ()
    columns = ("limit", "", *counts, "precision", *(("recall",) if has_recall else ()))
    cells = tuple(tuple(_cells(row, limit, has_recall=has_recall)) for row in rows)
    return Table("Limits tried, the rule as if live, all else as it is", columns, cells)


def _cells(row: LimitRow, limit: LimitReport, *, has_recall: bool) -> Iterator[Cell]:
    yield Cell(number_text(row.limit), "number")
    yield Cell(_mark(row, limit))
    if limit.is_swept:
        yield number_cell(row.flagged or 0)
        yield Cell(f"{row.flagged_share or 0:.2%}", "number")
    yield Cell(rate_text(row.precision))
    if has_recall:
        yield Cell(rate_text(row.recall))


def _decisive(limit: LimitReport) -> Iterator[LimitRow]:
    """Leave out limits that flag what both their neighbours flag."""
    rows = limit.rows
    for before, row, after in zip((None, *rows), rows, (*rows[1:], None), strict=False):
        neighbours = {each.flagged if each else None for each in (before, after)}
        if neighbours != {row.flagged} or _mark(row, limit):
            yield row


def _mark(row: LimitRow, limit: LimitReport) -> str:
    marks = {"baseline": limit.baseline_limit, "candidate": limit.candidate_limit}
    return ", ".join(name for name, at in marks.items() if at == row.limit)
