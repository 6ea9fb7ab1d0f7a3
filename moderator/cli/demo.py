"""`moderator demo`: everything on this machine, with the built-in model and sample events."""

import sys
from typing import Annotated

import typer

from moderator.cli import exit_codes


def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C, and say where.")] = False,
) -> None:
    """Show everything on this machine: Kafka, Redis, the built-in model and sample events."""
    from moderator.demo.run import run_demo
    from moderator.demo.session import DemoFailedError

    try:
        is_exact = run_demo(is_kept=keep)
    except DemoFailedError as error:
        sys.stderr.write(f"error: {error}\n")
        is_misconfigured = error.replica_exit_code == exit_codes.WRONG_CONFIGURATION
        raise typer.Exit(exit_codes.WRONG_CONFIGURATION if is_misconfigured else exit_codes.CHECK_FAILED) from error
    raise typer.Exit(exit_codes.OK if is_exact else exit_codes.CHECK_FAILED)
