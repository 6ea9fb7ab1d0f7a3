"""`moderator model train`: make a small reward model."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    *,
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
    start: Annotated[
        str | None, typer.Option("--from", metavar="MODEL", help="Continue this checkpoint, such as `builtin`.")
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compiled", help="Compile first: 1.4 times as fast, after a minute; needs a C++ compiler.")
    ] = False,
) -> None:
    """Train a small ArmoRM checkpoint on labelled chats, on the CPU; prints how well it does on held-out rows."""
    from moderator.training import recipe

    report = recipe.train(
        data, output, recipe.Plan(epochs=epochs, minutes=minutes, seed=seed, start=start, is_compiled=compiled)
    )
    typer.echo("\n".join(report.lines()))
