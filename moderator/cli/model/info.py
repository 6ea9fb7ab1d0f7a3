"""`moderator model info`: what a model is, what it reads and gives, and how fast it could be here."""

import json
from functools import partial
from typing import Annotated

import typer


def info(
    path: Annotated[str, typer.Argument(help="A folder, a hub id, or `builtin`.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what a model is, what it reads and gives, and how fast it could be on this machine; loads no weights."""
    from moderator.observability.logging import configure_logging
    from moderator.scoring.description import describe
    from moderator.settings import load_settings

    configure_logging("warning")
    settings = load_settings({"model.path": path}).model
    description = describe(path, say=partial(typer.echo, err=True), settings=settings)
    typer.echo(json.dumps(description.to_fields(), indent=2) if as_json else "\n".join(description.lines()))
