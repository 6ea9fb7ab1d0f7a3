"""`moderator replay`: judge the past again, from new or from recorded scores, and say what would change."""

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import exit_codes
from moderator.cli.options import KafkaBrokers, NoCompile, RunId, RunRate, quietly_loaded
from moderator.cli.progress import RUN_LINE_EVERY_S, progress
from moderator.cli.replays.interruption import interruption
from moderator.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from moderator.replays.change_report import ChangeReport
    from moderator.wiring.replay import Replay

_PERCENT = re.compile(r"\d{1,2}(\.\d{1,6})?%|100%")


def replay(
    *,
    start: Annotated[
        str, typer.Option("--from", metavar="T|PLACES", help="From this time on, ISO 8601, or from `0:1200,1:980`.")
    ],
    until: Annotated[str, typer.Option(metavar="T|PLACES|now", help="Until then, not included.")] = "now",
    to_topic: Annotated[str | None, typer.Option(metavar="TOPIC", help="Where decisions and dead letters go.")] = None,
    policy_only: Annotated[
        bool, typer.Option("--policy-only", help="Judge recorded decisions by their recorded scores; needs no model.")
    ] = False,
    model: Annotated[str | None, typer.Option(metavar="PATH", help="A folder, a hub id, or `builtin`.")] = None,
    policies: Annotated[Path | None, typer.Option(metavar="DIR", help="The policy folder.")] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Say what changes; without --to-topic nothing is written.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --compare: print one JSON object.")] = False,
    max_flips: Annotated[
        str | None, typer.Option(metavar="P%", help="With --compare: exit 1 when more verdicts change.")
    ] = None,
    run_id: RunId = None,
    rate: RunRate = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge, but write and commit nothing.")] = False,
    into_live: Annotated[
        bool, typer.Option("--into-live", help="Allow a topic of live traffic: its readers act twice.")
    ] = False,
    bootstrap_servers: KafkaBrokers = None,
    no_compile: NoCompile = False,
) -> None:
    """Judge past events again, each exactly once, into a topic of its own; or compare with what was decided.

    The same command with the same `--id` goes on where it was killed. Exit 1: more verdicts changed than --max-flips
    allows, nothing was compared, or a part was not because an earlier process had written it. Exit 130: Ctrl-C ended
    it between two steps.
    """
    from moderator.replays.naming import run_id_of
    from moderator.wiring.replay import Asked, make, prepare

    if to_topic is None and not compare:
        raise ConfigurationError("say where decisions go, `--to-topic TOPIC`, or `--compare` alone")
    if not compare and (as_json or max_flips is not None):
        raise ConfigurationError("`--json` and `--max-flips` are about the report of `--compare`")
    most_flips = 1.0 if max_flips is None else _share(max_flips)
    settings = quietly_loaded(
        bootstrap_servers,
        {"model.path": model, "policies.path": policies, "model.compile": False if no_compile else None},
    )
    asked = Asked(
        run_id=run_id_of(run_id),
        start=start,
        until=until,
        topic=to_topic,
        rate=rate,
        is_rejudging=policy_only,
        is_dry=dry_run,
        is_comparing=compare,
        may_be_live=into_live,
    )
    sys.stderr.write(f"replay id {asked.run_id}\n")
    planned = prepare(settings, asked)
    _write_beginning(planned)
    with interruption() as interrupted:
        counts, report = make(planned, interrupted.stop, _shown)
    sys.stderr.write(f"{counts.line}{'' if planned.written else '; nothing was written'}\n")
    if interrupted.exit_code is not None:
        raise typer.Exit(interrupted.exit_code)
    if report is not None:
        _write_report(report, as_json=as_json)
        if max_flips is not None and not _passes(report, most_flips):
            raise typer.Exit(exit_codes.CHECK_FAILED)


def _shown(doing: str, total: int) -> "AbstractContextManager[Callable[[int], None]]":
    return progress(doing, total, "offsets", RUN_LINE_EVERY_S)


def _write_beginning(planned: "Replay") -> None:
    found = planned.found
    if found.is_continued:
        state = "goes on" if found.total else "is finished"
        sys.stderr.write(f"`{planned.asked.run_id}` {state}; offsets left: {found.total:,}\n")


def _write_report(report: "ChangeReport", *, as_json: bool) -> None:
    from moderator.replays.change_report import text_of

    sys.stdout.write(f"{json.dumps(report.record)}\n" if as_json else text_of(report))


def _passes(report: "ChangeReport", most_flips: float) -> bool:
    """Check whether the limit is kept; where nothing was compared, nothing has shown that."""
    if not report.changes.compared:
        sys.stderr.write("nothing was compared, so `--max-flips` fails: name a range that holds decided events\n")
        return False
    return report.is_whole and report.flips_share <= most_flips


def _share(percent: str) -> float:
    if not _PERCENT.fullmatch(percent):
        raise ConfigurationError(f"`--max-flips {percent}`: write a share such as `1%`")
    return float(percent.removesuffix("%")) / 100
