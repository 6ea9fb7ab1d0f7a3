"""Writes a report as Markdown, for a file beside what it is about."""

from collections.abc import Iterator, Sequence

from moderator.backtest.report.document import Document, Fact, Section, Table
from moderator.policy.syntax.diagnostics import printable


def markdown_of(document: Document) -> str:
    """Write facts and sections; folds and charts are left out."""
    parts = [iter((f"# {document.title}",)), iter((document.caution,) if document.caution else ())]
    parts += [_facts(document.facts), *(block for section in document.sections for block in _section(section))]
    blocks = ["\n".join(map(printable, part)) for part in parts]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _section(section: Section) -> Iterator[Iterator[str]]:
    yield iter((f"## {section.title}",))
    yield iter(tuple(filter(None, (section.aside, section.lead))))
    yield from map(_table, section.tables)
    yield _facts(section.facts)
    yield from (iter((note,)) for note in section.notes)


def _facts(facts: Sequence[Fact]) -> Iterator[str]:
    return (f"- {fact.term}: {_safe(fact.text)}" for fact in facts)


def _table(table: Table) -> Iterator[str]:
    yield _line(table.columns)
    yield _line(["---:" if is_number else "---" for is_number in table.numeric])
    yield from (_line([_safe(cell.text) for cell in row]) for row in table.rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _safe(text: str) -> str:
    return text.replace("|", "\\|")
