"""`moderator --version`: the version, the revision it was built from, and the Python that runs it."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from moderator.observability.build import REVISION_FILE, revision


def version_line(revision_file: Path) -> str:
    """Give such as `moderator 0.1.0 (2e3f356, Python 3.11.7)`; without the file the revision is `unknown`."""
    return f"moderator {version('moderator')} ({revision(revision_file)}, Python {platform.python_version()})"


def _print_version(is_wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the option's value
    if is_wanted:
        typer.echo(version_line(REVISION_FILE))
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
]
