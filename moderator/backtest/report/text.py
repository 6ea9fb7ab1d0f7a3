"""Writes the backtest's report as plain text: sections of aligned columns, for a terminal or a log."""

from collections.abc import Iterator, Sequence

from moderator.backtest.report.document import Document, Fact, Limit, Row, Section, Table
from moderator.backtest.report.sections import document_of
from moderator.backtest.report.values import BacktestReport
from moderator.policy.syntax.diagnostics import printable


def backtest_text(report: BacktestReport) -> str:
    """Write the whole report; only facts and fidelity while the fidelity is below 100%."""
    return text_of(document_of(report))


def text_of(document: Document) -> str:
    """Write any report."""
    parts = [iter((document.caution,))] if document.caution else []
    parts += [_facts(document.facts), *map(_section, document.sections)]
    parts += [_sweep(limit, limit.sweep) for limit in document.limits if limit.sweep]
    # names and ids come from the decisions, which may hold what steers a terminal
    return "\n\n".join("\n".join(map(printable, part)) for part in parts) + "\n"


def _facts(facts: Sequence[Fact]) -> Iterator[str]:
    width = max((len(fact.term) for fact in facts), default=0)
    yield from (f"{fact.term:<{width}}  {fact.text}" for fact in facts)


def _section(section: Section) -> Iterator[str]:
    yield f"{section.title.upper()} ({section.aside})" if section.aside else section.title.upper()
    if section.lead:
        yield f"  {section.lead}"
    for table in section.tables:
        yield from _table(table)
    folded = (section.fold.summary,) if section.fold else ()
    yield from (f"  {line}" for line in (*_facts(section.facts), *section.notes, *folded))


def _sweep(limit: Limit, sweep: Table) -> Iterator[str]:
    yield f"SWEEP OF {limit.title}"
    yield "  tried on all events, the rule as if live, all else as it is; limits left out change nothing"
    yield from _table(sweep)


def _table(table: Table) -> Iterator[str]:
    """Align columns: numbers to the right, words to the left."""
    lines = [table.columns, *_texts(table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (
            text.rjust(width) if is_number else text.ljust(width)
            for text, width, is_number in zip(line, widths, table.numeric, strict=True)
        )
        yield f"  {'  '.join(cells)}".rstrip()


def _texts(rows: Sequence[Row]) -> Iterator[list[str]]:
    """Give the rows' texts; a row's name that is the same as the one above is left out."""
    above = None
    for name, *others in rows:
        yield ["" if name == above else printable(name.text), *(printable(cell.text) for cell in others)]
        above = name
