"""What would another policy folder have decided? The one function behind the command and the console's figures."""

from collections.abc import Iterable
from functools import partial

from moderator.backtest.batches import Batch
from moderator.backtest.ledger import Advance
from moderator.backtest.processes import count_all
from moderator.backtest.report.summary import backtest_report
from moderator.backtest.report.values import BacktestReport
from moderator.backtest.run import Backtest, Plan


def compare(
    plan: Plan,
    batches: Iterable[Batch],
    *,
    source: str,
    folders: tuple[str, str] = ("baseline", "candidate"),
    processes: int = 1,
    advance: Advance = lambda _: None,
) -> BacktestReport:
    """Decide recorded events by both policy sets of a plan, from recorded scores, and report what differs.

    The same decisions and the same sets give the same report, however the decisions are cut into batches.

    Args:
        plan: the two sets, labels if there are any, and the signal whose limits are tried, if one.
        batches: recorded decisions in order, such as `[batches.Lines("held", lines, size)]`.
        source: what the report calls the decisions.
        folders: what it calls the baseline and the candidate.
        processes: how many share the work; with 1 it is done here, on the thread that calls.
        advance: called with the size of each batch that is done; what it raises ends the comparison.

    Raises:
        ConfigurationError: some values are not decisions, each named with its place; or there is no decision.
        PolicyError: a set does not suit a model that scored.
        StoppedError: a process that shared the work ended unexpectedly.
    """
    counts = count_all(partial(Backtest, plan), batches, processes=processes, advance=advance)
    return backtest_report(plan, counts, source, folders)
