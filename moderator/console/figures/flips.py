"""What an edit would change, as a page shows it: the matrix, then rules by what changes, then examples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from moderator.backtest.report.values import BacktestReport, ExampleReport, RuleReport
from moderator.counted import counted
from moderator.events import Verdict

_SHOWN = 20
_KINDS: tuple[tuple[Verdict, Verdict, str], ...] = (
    ("allow", "flag", "Newly flagged"),
    ("flag", "allow", "No longer flagged"),
)


class FlipCell(NamedTuple):
    """Decisions of one verdict before and one after."""

    before: Verdict
    after: Verdict
    events: int


class FlipKind(NamedTuple):
    """One way to flip, with examples of it."""

    title: str
    events: int
    examples: Sequence[ExampleReport]


@dataclass(frozen=True, slots=True)
class FlipFigures:
    """What a page shows of a comparison.

    Attributes:
        cells: before allow and flag, after allow and flag each.
        changed: rules that flag other decisions than before, most first; `unchanged` do not.
        kinds: ways to flip that occur.
        stale: which text signals are not known for some decisions, and how many of these no figure counts.
        notice: what is to be said of how far the figures can be believed.
        is_whole: all decisions were made by the folder's policies, and come out as recorded.
        order: which examples are shown where there are more.
    """

    report: BacktestReport
    cells: tuple[FlipCell, ...]
    changed: Sequence[RuleReport]
    unchanged: Sequence[RuleReport]
    kinds: Sequence[FlipKind]
    stale: Sequence[str]
    notice: Sequence[str]
    is_whole: bool
    order: str

    @property
    def count(self) -> int:
        """Decisions whose verdict changes."""
        return self.report.flips.flips


def flip_figures(report: BacktestReport, order: str) -> FlipFigures:
    """Lay out a comparison; `order` says which examples it has, such as `newest`."""
    matrix = report.flips
    cells = (
        FlipCell("allow", "allow", matrix.allow_allow),
        FlipCell("allow", "flag", matrix.allow_flag),
        FlipCell("flag", "allow", matrix.flag_allow),
        FlipCell("flag", "flag", matrix.flag_flag),
    )
    by_cell = {(cell.before, cell.after): cell.events for cell in cells}
    kinds = [
        FlipKind(
            title,
            by_cell[before, after],
            [each for each in report.examples if (each.before, each.after) == (before, after)][:_SHOWN],
        )
        for before, after, title in _KINDS
        if by_cell[before, after]
    ]
    return FlipFigures(
        report,
        cells,
        changed=[rule for rule in report.rules if rule.flips.flips],
        unchanged=[rule for rule in report.rules if not rule.flips.flips],
        kinds=kinds,
        stale=tuple(_stale(report)),
        notice=tuple(_notice(report)),
        is_whole=report.fidelity.is_whole and not report.fidelity.others,
        order=order,
    )


def _stale(report: BacktestReport) -> Iterator[str]:
    for each in report.stale:
        count = counted(report.events.count, "decision")
        yield f"{each.signal} is stale in {each.decisions:,} of {count} ({each.why})."
    if report.undecided:
        yield (
            f"{report.undecided:,} of them could not be decided, as their texts are not recorded: no figure counts "
            "these. `moderator policy backtest --texts` reads the texts again."
        )


def _notice(report: BacktestReport) -> Iterator[str]:
    fidelity, events = report.fidelity, report.events.count
    others, differing = sum(fidelity.others.values()), fidelity.compared - fidelity.reproduced
    if others:
        yield (
            f"{others:,} of {counted(events, 'decision')} {'was' if others == 1 else 'were'} made by other policies "
            "than the folder holds now: for these, the folder's side is what it would decide, not what was decided."
        )
    if differing:
        yield (
            f"{differing:,} of {counted(fidelity.compared, 'decision')} of the folder's own policies "
            f"{'comes' if differing == 1 else 'come'} out otherwise than recorded, so these figures cannot be relied "
            "on."
        )
    if not others and not differing and events:
        come = "comes" if events == 1 else "come"
        yield f"All {counted(events, 'decision')} {come} out by the folder just as recorded."
