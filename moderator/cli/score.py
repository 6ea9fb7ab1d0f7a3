"""`moderator score`: JSON lines in, decisions out; no Kafka, no Redis, the same pipeline."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from moderator.cli import exit_codes
from moderator.errors import ConfigurationError

STDIN = "-"


def score(
    file: Annotated[
        str, typer.Argument(metavar="[FILE|-]", help="Chat events, one a line; - is standard input.")
    ] = STDIN,
    model: Annotated[str, typer.Option(help="A folder, a hub id, or `builtin` (a practice model).")] = "builtin",
    policies: Annotated[
        Path | None, typer.Option(help="The policy folder; else ./policies, else the examples in the package.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Where decisions go, else standard output.")] = None,
    dead_letters: Annotated[
        Path | None, typer.Option(help="Where lines that cannot be read are named, else standard error.")
    ] = None,
) -> None:
    """Decide on chat events from a file or a pipe."""
    from moderator.local.examples import default_policies
    from moderator.settings import ModelSettings, PoliciesSettings, Settings
    from moderator.wiring import score_lines

    settings = Settings(model=ModelSettings(path=model), policies=PoliciesSettings(path=policies or default_policies()))
    name = STDIN if file == STDIN else Path(file).name
    with (
        _open_input(file) as lines,
        _open_output(output, sys.stdout.buffer) as decisions,
        _open_output(dead_letters, sys.stderr.buffer) as letters,
    ):
        counts = score_lines(settings, lines, name, decisions, letters)
    is_whole = counts["lines"] == counts["flagged"] + counts["allowed"] + counts["dead_letters"]
    sys.stderr.write(
        f"{counts['lines']} lines = {counts['flagged']} flag + {counts['allowed']} allow "
        f"+ {counts['dead_letters']} dead letters\n"
    )
    raise typer.Exit(exit_codes.OK if is_whole else exit_codes.CHECK_FAILED)


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
