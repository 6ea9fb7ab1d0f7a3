"""`moderator score`: JSON lines in, decisions out; no Kafka, no Redis, the same pipeline."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from moderator.cli import exit_codes
from moderator.errors import ConfigurationError

if TYPE_CHECKING:
    from moderator.settings import Settings
    from moderator.wiring import LinesScored

STDIN = "-"


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
) -> None:
    """Decide on chat events from a file or a pipe."""
    from moderator.observability.logging import configure_logging
    from moderator.wiring import score_lines

    configure_logging("error")
    settings = _settings(model, policies)
    name = STDIN if file == STDIN else Path(file).name
    with (
        _open_input(file) as lines,
        _open_output(output, sys.stdout.buffer) as decisions,
        _open_output(dead_letters, sys.stderr.buffer) as letters,
    ):
        scored = score_lines(settings, lines, name, decisions, letters)
    raise typer.Exit(_summarise(scored))


def _settings(model: str | None, policies: Path | None) -> "Settings":
    """Read the settings; what neither flags nor they name are the practice model and the example policies."""
    from moderator.local.examples import default_policies
    from moderator.settings import PoliciesSettings, load_settings

    settings = load_settings({"model.path": model, "policies.path": policies})
    if settings.model.path is None:
        settings = load_settings({"model.path": "builtin", "policies.path": policies})
    if settings.policies == PoliciesSettings():
        settings = load_settings({"model.path": settings.model.path, "policies.path": default_policies()})
    return settings


def _summarise(scored: "LinesScored") -> int:
    """Write the sum on stderr and give the exit code."""
    lines, flagged, allowed, dead = (scored.counts[name] for name in ("lines", "flagged", "allowed", "dead_letters"))
    practice = f"; scored by the practice model `{scored.model.name}`" if scored.model.is_practice else ""
    sys.stderr.write(f"{lines} lines = {flagged} flag + {allowed} allow + {dead} dead letters{practice}\n")
    return exit_codes.OK if lines == flagged + allowed + dead else exit_codes.CHECK_FAILED


def _open_input(file: str) -> FileIO:
    try:
        return FileIO(os.dup(sys.stdin.fileno())) if file == STDIN else FileIO(file)
    except OSError as error:
        raise ConfigurationError(f"cannot read `{file}`: {(error.strerror or 'unknown reason').lower()}") from error


@contextmanager
def _open_output(path: Path | None, standard: BinaryIO) -> Iterator[BinaryIO]:
    if path is None:
        yield standard
        return
    try:
        file = path.open("wb")
    except OSError as error:
        raise ConfigurationError(f"cannot write `{path}`: {(error.strerror or 'unknown reason').lower()}") from error
    with file:
        yield file
