"""`moderator model`: look at reward models, and make one."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from moderator.cli.calibrate import calibrate

app = typer.Typer(name="model", help="Look at reward models, and make one.")


@app.callback()
def model() -> None:
    """Look at reward models, and make one."""


app.command()(calibrate)


@app.command()
def info(
    path: Annotated[str, typer.Argument(help="A folder, a hub id, or `builtin`.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what a model is, what it reads and gives, and how fast it could be on this machine; loads no weights."""
    from moderator.observability.logging import configure_logging
    from moderator.scoring.description import describe

    configure_logging("warning")
    description = describe(path, say=partial(typer.echo, err=True))
    typer.echo(json.dumps(description.to_fields(), indent=2) if as_json else "\n".join(description.lines()))


@app.command()
def train(
    data: Annotated[
        Path, typer.Option(help="Folder with {train,pairs,relevance}.jsonl.gz and identity_templates.csv.gz.")
    ],
    output: Annotated[Path, typer.Option(help="Folder for the checkpoint and its model card.")],
    epochs: Annotated[float, typer.Option(min=0.01, help="Passes over the labelled rows.")] = 3.0,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="Stop learning after this long; a run cut short cannot be repeated exactly."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed on the same machine gives the same model.")] = 1,
) -> None:
    """Train a small ArmoRM checkpoint on labelled chats, on the CPU; prints how well it does on held-out rows."""
    from moderator.training import recipe

    report = recipe.train(data, output, recipe.Plan(epochs=epochs, minutes=minutes, seed=seed))
    typer.echo("\n".join(report.lines()))
