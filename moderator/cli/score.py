"""`moderator score`: JSON lines in, decisions out; no Kafka, no Redis, the same pipeline."""

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from moderator.cli import exit_codes
from moderator.cli.drafts import report_draft
from moderator.cli.files.standard_streams import STDIN, open_input, stderr_for_output
from moderator.cli.options import Draft, NoCompile
from moderator.counted import counted
from moderator.errors import ConfigurationError, reason_of
from moderator.objectives import BUILTIN

if TYPE_CHECKING:
    from moderator.events import ModelIdentity
    from moderator.settings import Settings
    from moderator.wiring.lines import Judges


def score(
    file: Annotated[
        str, typer.Argument(metavar="[FILE|-]", help="Chat events, one a line; - is standard input.")
    ] = STDIN,
    model: Annotated[
        str | None, typer.Option(help="A folder, a hub id, or `builtin`, the practice model that is used by default.")
    ] = None,
    policies: Annotated[
        Path | None, typer.Option(help="The policy folder; else ./policies, else the examples in the package.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Where decisions go, else standard output.")] = None,
    dead_letters: Annotated[
        Path | None, typer.Option(help="Where lines that cannot be read are named, else standard error.")
    ] = None,
    *,
    no_compile: NoCompile = False,
    draft: Draft = False,
) -> None:
    """Decide on chat events from a file or a pipe."""
    from moderator.observability.logging import configure_logging
    from moderator.wiring.lines import load_judges

    configure_logging("warning")
    settings = _settings(
        {"model.path": model, "policies.path": policies, "model.compile": False if no_compile else None}
    )
    _refuse_overwriting(file, output, dead_letters)
    with open_input(file) as lines:
        judges = load_judges(settings, is_draft=draft)
        if draft:
            report_draft(judges.policies)
        # the outputs are opened last: whatever is wrong before leaves an earlier result alone
        counts = _score(settings, judges, lines, _name(file), output, dead_letters)
    raise typer.Exit(_summarise(counts, judges.scorer.identity))


def _settings(flags: dict[str, object]) -> "Settings":
    """Read the settings; what neither flags nor they name are the practice model and the example policies."""
    from moderator.demo.examples import default_policies
    from moderator.settings import load_settings

    settings = load_settings(flags)
    if settings.model.path is None:
        flags["model.path"] = BUILTIN
    if "policies" not in settings.model_fields_set:
        flags["policies.path"] = default_policies()
    return load_settings(flags)


def _score(  # noqa: PLR0917 - what the command was given
    settings: "Settings", judges: "Judges", lines: FileIO, name: str, output: Path | None, dead_letters: Path | None
) -> Mapping[str, int]:
    from moderator.wiring.lines import score_lines

    try:
        with (
            _open_output(output, sys.stdout.buffer) as decisions,
            _open_output(dead_letters, stderr_for_output()) as letters,
        ):
            return score_lines(settings, judges, lines, name=name, decisions=decisions, dead_letters=letters)
    except BrokenPipeError:  # an output may be a pipe too, as stdout may
        raise typer.Exit(128 + signal.SIGPIPE) from None


def _summarise(counts: Mapping[str, int], model: "ModelIdentity") -> int:
    """Write the sum on stderr and give the exit code."""
    lines, flagged, allowed, dead = (counts[name] for name in ("lines", "flagged", "allowed", "dead_letters"))
    practice = f"; scored by the practice model `{model.name}`" if model.is_practice else ""
    sums = f"{counted(lines, 'line')} = {flagged:,} flag + {allowed:,} allow + {counted(dead, 'dead letter')}"
    sys.stderr.write(f"{sums}{practice}\n")
    return exit_codes.OK if lines == flagged + allowed + dead else exit_codes.CHECK_FAILED


def _name(file: str) -> str:
    return STDIN if file == STDIN else Path(file).name


def _refuse_overwriting(file: str, *outputs: Path | None) -> None:
    """Refuse to write into the input, or two things into one file."""
    named = [path.resolve() for path in (None if file == STDIN else Path(file), *outputs) if path is not None]
    twice = next((path for path in named if named.count(path) > 1 and not path.is_char_device()), None)
    if twice:
        raise ConfigurationError(
            f"`{twice}` is named twice: input, `--output` and `--dead-letters` are different files"
        )


@contextmanager
def _open_output(path: Path | None, standard: BinaryIO) -> Iterator[BinaryIO]:
    if path is None:
        yield standard
        return
    try:
        file = path.open("wb")
    except OSError as error:
        raise ConfigurationError(f"cannot write `{path}`: {reason_of(error)}") from error
    with file:
        yield file
