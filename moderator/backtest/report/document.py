"""What a written report consists of, whatever it is written as: facts, sections with tables, and limits with charts."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from moderator.backtest.counting.limits import LimitReport

Kind = Literal["text", "number", "change"]
"""`change` is a number to point out."""


class Cell(NamedTuple):
    """One value of a table, as it is shown.

    Attributes:
        detail: what the page adds; text has no room for it.
    """

    text: str
    kind: Kind = "text"
    detail: str = ""


Row = tuple[Cell, ...]


class Table(NamedTuple):
    """Rows of as many cells as there are columns; the first cell names its row.

    Attributes:
        caption: what a page announces the table by.
        row_id: what programs find each row by on a page; empty for nothing.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    row_id: str = ""

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether each column holds numbers alone."""
        if not self.rows:
            return (False,) * len(self.columns)
        return tuple(all(cell.kind != "text" for cell in column) for column in zip(*self.rows, strict=True))


class Fact(NamedTuple):
    """A term and its value."""

    term: str
    text: str
    is_bad: bool = False


class Fold(NamedTuple):
    """What a page shows when it is asked for, and text leaves out; `summary` stands for it."""

    summary: str
    table: Table


@dataclass(frozen=True, slots=True)
class Section:
    """Parts of one subject, in the order in which they are shown.

    Attributes:
        lead: the sum of it, which stands first.
        section_id: what programs find the section by on a page; empty for nothing.
    """

    title: str
    aside: str = ""
    lead: str = ""
    tables: tuple[Table, ...] = ()
    facts: tuple[Fact, ...] = ()
    notes: tuple[str, ...] = ()
    fold: Fold | None = None
    section_id: str = ""


class Limit(NamedTuple):
    """One limit of the candidate, tried at other values.

    Attributes:
        values: for the charts.
        scores: events by score.
        tried: every limit that was tried.
        sweep: those of them that change something; None where only labelled events were tried.
    """

    title: str
    values: LimitReport
    scores: Table
    tried: Table
    sweep: Table | None


class Document(NamedTuple):
    """A report, ready to be written.

    Attributes:
        caution: what must be known before anything else is read; empty where there is nothing.
    """

    title: str
    caution: str
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]
    limits: tuple[Limit, ...] = ()
    heading: str = "Backtest"


def number_cell(number: int) -> Cell:
    """Give a cell with a count."""
    return Cell(f"{number:,}", "number")
