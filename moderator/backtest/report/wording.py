"""How numbers are written, in the text and on the page."""

from collections.abc import Iterator
from itertools import islice

from moderator.backtest.report.values import BudgetReport, CellReport, FidelityReport
from moderator.counted import counted
from moderator.labels.rates import Rate

_SHOWN_SNAPSHOTS = 15


def rate_text(rate: Rate) -> str:
    """Write a share with its interval, or that there are too few labels."""
    if rate.share is None or rate.low is None or rate.high is None:
        return f"not enough labels ({rate.of})"
    return f"{rate.share:.1%} ({rate.low:.1%} to {rate.high:.1%}, {rate.count:,} of {rate.of:,})"


def share_text(count: int, of: int) -> str:
    """Write a share of events; `-` of none."""
    return f"{count / of:.2%}" if of else "-"


def number_text(number: float | None) -> str:
    """Write a score or limit; `-` for none."""
    return "-" if number is None else f"{number:.6f}".rstrip("0").rstrip(".")


def cell_text(cell: CellReport) -> str:
    """Name a cell by the verdicts that make it."""
    if cell.candidate is None:
        return f"baseline {cell.baseline}"
    if cell.baseline is None:
        return f"candidate {cell.candidate}"
    return f"{cell.baseline} -> {cell.candidate}"


def margin_text(margin: float) -> str:
    """Write by how much a comparison holds or misses."""
    if margin == 0:
        return "at the limit"
    return f"{'holds' if margin > 0 else 'misses'} by {number_text(abs(margin))}"


def budget_text(budget: BudgetReport) -> str:
    """Write what a rule flags, and may flag."""
    return f"{budget.percent:.3g}%, at most {budget.at_most_percent:g}%"


def fidelity_texts(fidelity: FidelityReport) -> Iterator[str]:
    """Write the result of replaying the baseline, in one or more sentences."""
    share = share_text(fidelity.reproduced, fidelity.compared)
    if fidelity.compared == 0:
        yield "none of the decisions was made by the baseline's snapshot: name the folder that made them"
    elif fidelity.is_whole:
        who = counted(fidelity.compared, "decision")
        come = "comes" if fidelity.compared == 1 else "come"
        yield f"100%: all {who} of the baseline's snapshot {come} out just as recorded"
    else:
        missed = fidelity.compared - fidelity.reproduced
        floored = "below 100%" if share == "100.00%" else share
        who = counted(fidelity.compared, "decision")
        come = "comes" if missed == 1 else "come"
        yield f"{floored}: {missed:,} of {who} of the baseline's snapshot {come} out otherwise"
    for snapshot, count in islice(fidelity.others.items(), _SHOWN_SNAPSHOTS):
        yield f"{counted(count, 'was', 'were')} made by another snapshot, {snapshot}"
    if not fidelity.is_whole:
        yield "a baseline that differs from what ran cannot say what would change: no other number is shown"
