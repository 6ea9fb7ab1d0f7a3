"""`moderator policy backtest`: what would another policy folder have decided on recorded events?"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import exit_codes
from moderator.cli.files.known_texts import read_known_texts
from moderator.cli.files.output_files import refuse_policy_file, write_file
from moderator.cli.files.recorded_events import open_events
from moderator.cli.files.recorded_labels import label_file, read_any_labels
from moderator.cli.options import Brokers, Events
from moderator.cli.policy.output import write_json
from moderator.cli.progress import progress
from moderator.errors import ConfigurationError

if TYPE_CHECKING:
    from moderator.backtest.report.values import BacktestReport
    from moderator.backtest.run import Plan
    from moderator.policy import PolicySet


def backtest(
    *,
    candidate: Annotated[Path, typer.Option(metavar="DIR", help="The policy folder to try.")],
    baseline: Annotated[Path, typer.Option(metavar="DIR", help="The policy folder that made the decisions.")],
    events: Events,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|kafka",
            help='What people said, one a line: {"id": "evt-1", "label": "flag"}, or the records of the topic of '
            "labels; `kafka` reads that topic.",
        ),
    ] = None,
    sweep: Annotated[
        str | None, typer.Option(metavar="SIGNAL", help="Try other limits of this signal on every event.")
    ] = None,
    texts: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|kafka[:RANGE]",
            help="The events as they were sent: text signals with other lists are read from them again.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the report as one page that works offline.")
    ] = None,
    bootstrap_servers: Brokers = None,
    enforce: Annotated[
        bool, typer.Option("--enforce", help="A broken budget fails, and so does a verdict that is not known.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write the report as JSON.")] = False,
) -> None:
    """Decide recorded events by two policy folders, from recorded scores.

    Exit 0: the baseline reproduces its decisions, 1: it does not, or with --enforce a budget is broken or a verdict
    is not known, 2: wrong usage.
    """
    from moderator.backtest.run import Plan
    from moderator.policy import load_policies

    given = read_any_labels(labels, bootstrap_servers)
    plan = Plan(load_policies(baseline), load_policies(candidate), given, sweep)
    _require_signal(plan.candidate, sweep)
    if texts is not None:
        plan = replace(plan, texts=read_known_texts(texts, plan.candidate, bootstrap_servers))
    if html is not None:
        _refuse_overwriting(html, files=(Path(events), label_file(labels)), folders=(baseline, candidate))
    report = _backtest(plan, events, (str(baseline), str(candidate)), bootstrap_servers)
    _write(report, html, as_json=as_json)
    is_broken = report.undecided > 0 or any(budget.is_broken for budget in report.budgets)
    is_bad = not report.fidelity.is_whole or (enforce and is_broken)
    raise typer.Exit(exit_codes.CHECK_FAILED if is_bad else exit_codes.OK)


def _backtest(plan: "Plan", events: str, folders: tuple[str, str], bootstrap_servers: str | None) -> "BacktestReport":
    from moderator.backtest.comparing import compare
    from moderator.supervisor.workers import core_count

    with (
        open_events(events, bootstrap_servers) as recorded,
        progress("backtest", recorded.total, recorded.unit) as advance,
    ):
        return compare(
            plan,
            recorded.batches,
            source=recorded.source,
            folders=folders,
            processes=core_count(),
            advance=advance,
        )


def _write(report: "BacktestReport", html: Path | None, *, as_json: bool) -> None:
    from moderator.backtest.report.page import backtest_page
    from moderator.backtest.report.text import backtest_text

    try:  # the page first: whoever reads the text may leave before its end
        if html is not None and report.fidelity.is_whole:
            write_file(html, backtest_page(report))
    finally:
        if as_json:
            write_json(report.record)
        else:
            sys.stdout.write(backtest_text(report))


def _require_signal(candidate: "PolicySet", sweep: str | None) -> None:
    if sweep is None:
        return
    from moderator.backtest.counting.movable_limits import movable

    used = {condition.signal.name for rule in candidate.active_rules for _, condition in movable(rule)}
    if sweep not in used:
        raise ConfigurationError(
            f"no live or shadow rule of the candidate has a limit of `{sweep}`; they have limits of: "
            f"{', '.join(sorted(used)) or 'nothing'}"
        )


def _refuse_overwriting(html: Path, files: tuple[Path | None, ...], folders: tuple[Path, ...]) -> None:
    if any(file and file.exists() and html.exists() and html.samefile(file) for file in files):
        raise ConfigurationError(f"`{html}` is an input: name another file for the page")
    refuse_policy_file(html, *folders, what="the page")
    if html.is_dir() or not html.absolute().parent.is_dir():
        raise ConfigurationError(f"cannot write `{html}`: it is a folder, or its folder is missing")
