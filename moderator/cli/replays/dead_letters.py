"""`moderator dead-letters`: what could not be judged: list it, show it, send it in again."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import exit_codes
from moderator.cli.options import KafkaBrokers, RunId, RunRate, quietly_loaded
from moderator.cli.progress import RUN_LINE_EVERY_S, progress
from moderator.cli.replays.interruption import interruption
from moderator.errors import ConfigurationError, reason_of
from moderator.events import DeadLetterReason

if TYPE_CHECKING:
    from moderator.replays.letters import LetterList
    from moderator.stream.kafka.ranges.decision_range import TimeRange
    from moderator.stream.kafka.replaying.run import Run

app = typer.Typer(name="dead-letters", help="Records that could not be judged: list, show, send in again.")

Reason = Annotated[
    DeadLetterReason | None,
    typer.Option(help="Only those set aside for this reason."),
]
Since = Annotated[str | None, typer.Option(metavar="T", help="Only those written since then, ISO 8601.")]
Until = Annotated[str | None, typer.Option(metavar="T", help="Only those written before then, ISO 8601.")]
_DOING = "dead letters"
_UNIT = "offsets"


@app.command(name="list")
def list_(
    *,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    contains: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only those whose key, body or error contains this.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many of the newest.")] = 100,
    summary: Annotated[bool, typer.Option("--summary", help="Count them by reason and error.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    bootstrap_servers: KafkaBrokers = None,
) -> None:
    """List dead letters, the newest last; no body is shown."""
    from moderator.replays.letters import Selection, count_line_of, line_of, list_letters

    selection = Selection(reason, None if contains is None else contains.encode(errors="surrogateescape"))
    settings = quietly_loaded(bootstrap_servers)
    with ExitStack() as stack:
        found: LetterList = list_letters(
            settings.kafka,
            _span(since, until),
            selection,
            limit=limit,
            show_progress=lambda total: stack.enter_context(progress(_DOING, total, _UNIT, RUN_LINE_EVERY_S)),
        )
    for count in found.counts if summary else ():
        sys.stdout.write(f"{json.dumps(count) if as_json else count_line_of(count)}\n")
    for letter in () if summary else found.newest:
        sys.stdout.write(f"{json.dumps(letter) if as_json else line_of(letter)}\n")
    if not summary and found.total > len(found.newest):
        sys.stderr.write(f"{len(found.newest):,} of {found.total:,} shown; `--limit N` shows more\n")


@app.command()
def show(
    place: Annotated[str, typer.Argument(metavar="PLACE", help="`partition/offset`, as `list` gives it.")],
    *,
    raw: Annotated[bool, typer.Option("--raw", help="The body alone, byte for byte.")] = False,
    bootstrap_servers: KafkaBrokers = None,
) -> None:
    """Show one dead letter: its headers and its body, with what cannot be printed escaped."""
    from moderator.replays.letters import letter_at, parse_place, shown

    where = parse_place(place)
    letter = letter_at(quietly_loaded(bootstrap_servers).kafka, where)
    if raw:
        sys.stdout.buffer.write(letter.record.value or b"")
    else:
        sys.stdout.writelines(f"{line}\n" for line in shown(letter))


@app.command()
def replay(
    places: Annotated[
        list[str] | None, typer.Argument(metavar="[PLACE…]", help="`partition/offset`, as `list` gives them.")
    ] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    value: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What to send instead of the body, for one place.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="Where to send them, else to the events topic.")
    ] = None,
    max_replays: Annotated[int, typer.Option(min=1, help="Skip those that have been sent so often and came back.")] = 3,
    run_id: RunId = None,
    rate: RunRate = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, but write and commit nothing.")] = False,
    bootstrap_servers: KafkaBrokers = None,
) -> None:
    """Send dead letters to the events topic again, each exactly once.

    The same command with the same `--id` goes on where it was killed. Exit 130: Ctrl-C ended it between two steps.
    """
    from moderator.replays.letters import Selection, parse_place
    from moderator.replays.naming import run_id_of
    from moderator.replays.resending import Resending, require_resendable, resend

    if bool(places) + all_ + (reason is not None and not places) != 1 or (places and reason):
        raise ConfigurationError("say what to send again: places, `--reason CODE`, or `--all`; one of them")
    if value is not None and len(places or ()) != 1:
        raise ConfigurationError("`--value` replaces the body of one place: name one")
    if places and (since or until):
        raise ConfigurationError("`--since` and `--until` select among `--all` or a `--reason`, not among places")
    settings = quietly_loaded(bootstrap_servers).kafka
    resending = Resending(
        run_id_of(run_id),
        to or settings.events_topic,
        Selection(reason, places=frozenset(map(parse_place, places)) if places else None),
        _span(since, until),
        _read(value),
        max_replays,
        rate,
    )
    limit_bytes = require_resendable(settings, resending)
    sys.stderr.write(f"replay id {resending.run_id}\n")
    with interruption() as interrupted, ExitStack() as stack:
        counts = resend(
            settings,
            resending,
            limit_bytes=limit_bytes,
            is_dry=dry_run,
            stop=interrupted.stop,
            show_progress=lambda run: _shown(run, resending.run_id, stack),
        )
    sys.stderr.write(_summary(counts, is_dry=dry_run))
    raise typer.Exit(interrupted.exit_code or exit_codes.OK)


def _shown(run: "Run", run_id: str, stack: ExitStack) -> Callable[[int], None]:
    if run.is_continued:
        sys.stderr.write(f"`{run_id}` {'goes on' if run.total else 'is finished'}; offsets left: {run.total:,}\n")
    return stack.enter_context(progress(_DOING, run.total, _UNIT, RUN_LINE_EVERY_S))


def _summary(counts: Counter[str], *, is_dry: bool) -> str:
    from moderator.replays.resending import REPLAYED, SKIPPED_WHY

    skipped = {why: counts[cause] for cause, why in SKIPPED_WHY.items() if counts[cause]}
    causes = f" ({', '.join(f'{count:,} {why}' for why, count in skipped.items())})" if skipped else ""
    dry = "; nothing was written" if is_dry else ""
    sums = f"{counts[REPLAYED]:,} replayed + {sum(skipped.values()):,} skipped"
    return f"{counts.total():,} selected = {sums}{causes}{dry}\n"


def _span(since: str | None, until: str | None) -> "TimeRange":
    from moderator.stream.kafka.ranges.decision_range import TimeRange, parse_time

    span = TimeRange(*(None if each is None else parse_time(each) for each in (since, until)))
    if span.start_ms is not None and span.until_ms is not None and span.start_ms >= span.until_ms:
        raise ConfigurationError(f"`--since {since}` is not before `--until {until}`")
    return span


def _read(value: Path | None) -> bytes | None:
    try:
        return None if value is None else value.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read `{value}`: {reason_of(error)}") from error
