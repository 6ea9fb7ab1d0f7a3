"""`moderator model info`: what a model is, what it reads and gives, and how fast it could be here."""

import json
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from moderator.settings import ModelSettings


def info(
    path: Annotated[str, typer.Argument(help="A folder, a hub id, or `builtin`.")],
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Load it, and only compare its tokens and scores with transformers' own. Exit 2: they differ.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what a model is, what it reads and gives, and how fast it could be on this machine.

    Without `--check` no weights are loaded.
    """
    from moderator.observability.logging import configure_logging
    from moderator.scoring.description import describe
    from moderator.settings import load_settings

    configure_logging("warning")
    settings = load_settings({"model.path": path}).model
    if check:
        _check(settings, as_json=as_json)
        return
    description = describe(path, say=partial(typer.echo, err=True), settings=settings)
    typer.echo(json.dumps(description.to_fields(), indent=2) if as_json else "\n".join(description.lines()))


def _check(settings: "ModelSettings", *, as_json: bool) -> None:
    from moderator.scoring.self_check.check import check_checkpoint

    check = check_checkpoint(settings)
    typer.echo(json.dumps({"check": check.to_fields()}, indent=2) if as_json else check.line())
