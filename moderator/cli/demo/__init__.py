"""`moderator demo`: everything on this machine, with the built-in model and sample events."""

from typing import Annotated

import typer


def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C, and say where.")] = False,
) -> None:
    """Show everything on this machine: Kafka, Redis, the built-in model and sample events."""
    from moderator.cli.demo.performance import perform

    raise typer.Exit(perform(is_kept=keep))
