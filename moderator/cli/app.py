"""The `moderator` command: lists the commands, each loaded only when it is called.

`policy check` must answer without loading torch, kafka or redis, so commands import what they need inside.
"""

import sys

import typer

from moderator.cli import exit_codes
from moderator.errors import BrokerUnavailableError, ConfigurationError, ModeratorError

app = typer.Typer(
    name="moderator",
    help="Content moderation as a Kafka stream processor.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def main() -> None:
    """Run the command line; every error of ours is one plain text on stderr and an exit code."""
    try:
        app()
    except ModeratorError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(exit_code_of(error))


def exit_code_of(error: ModeratorError) -> int:
    """Give the exit code for an error that ended a command."""
    match error:
        case ConfigurationError():
            return exit_codes.WRONG_CONFIGURATION
        case BrokerUnavailableError():
            return exit_codes.SERVER_UNREACHABLE
        case _:
            return exit_codes.STOPPED
