"""What an edit would change: held decisions judged by the folder and by the edit, from recorded scores."""

from collections.abc import Callable, Iterator, Sequence

from moderator.backtest.batches import Lines
from moderator.backtest.comparing import compare
from moderator.backtest.labels import NO_LABELS
from moderator.backtest.report.values import BacktestReport
from moderator.backtest.run import Plan
from moderator.policy import PolicySet

SHOWN = 20
"""Examples of each kind of flip."""
_AT_ONCE = 32
"""Decisions between two looks at whether the figures are still wanted: some four milliseconds."""


class SupersededError(Exception):
    """The figures are not wanted any more."""


def flips(
    folder: PolicySet,
    edit: PolicySet,
    decisions: Sequence[bytes],
    names: tuple[str, str] = ("folder", "edit"),
    is_wanted: Callable[[], bool] = lambda: True,
) -> BacktestReport:
    """Compare; the examples are the newest of each kind of flip.

    Args:
        folder: what is there now.
        edit: what would be there.
        decisions: recorded ones, oldest first, at least one.
        names: what the report calls folder and edit.
        is_wanted: asked all the time.

    Raises:
        SupersededError: it is not wanted any more.
        PolicyError: a set does not suit a model that scored.
    """

    def advance(_size: int) -> None:
        if not is_wanted():
            raise SupersededError

    plan = Plan(folder, edit, NO_LABELS, newest=SHOWN)
    return compare(plan, _batches(decisions), source="held decisions", folders=names, advance=advance)


def _batches(decisions: Sequence[bytes]) -> Iterator[Lines]:
    for start in range(0, len(decisions), _AT_ONCE):
        some = decisions[start : start + _AT_ONCE]
        yield Lines("held decisions", some, len(some))
