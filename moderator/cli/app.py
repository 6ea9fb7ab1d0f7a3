"""The `moderator` command: lists the commands, and turns errors into exit codes.

`policy check` must answer without loading torch, kafka or redis, so a command imports what it needs when called.
"""

import os
import sys
import traceback
from typing import Final, NoReturn

import typer

from moderator.cli import exit_codes
from moderator.cli.console import console
from moderator.cli.demo import demo
from moderator.cli.files.standard_streams import guard_streams
from moderator.cli.model import app as model
from moderator.cli.policy import app as policy
from moderator.cli.replays.dead_letters import app as dead_letters
from moderator.cli.replays.replay import replay
from moderator.cli.score import score
from moderator.cli.service.run import run
from moderator.cli.service.serve import serve
from moderator.cli.topics import app as topics
from moderator.cli.version import Version
from moderator.ending import ENDING_COMMANDS, end, flush_outputs
from moderator.errors import BrokerUnavailableError, ConfigurationError, ModeratorError, ReplicaUnreachableError

_CRASHED: Final = "crashed"

app = typer.Typer(
    name="moderator",
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def moderator(*, version: Version = False) -> None:
    """Content moderation as a Kafka stream processor."""


app.command()(console)
app.command()(demo)
app.command()(replay)
app.command()(run)
app.command()(score)
app.command()(serve)
app.add_typer(dead_letters)
app.add_typer(model)
app.add_typer(policy)
app.add_typer(topics)


def main() -> None:
    """Run the command line; every error of ours is one plain text on stderr and an exit code."""
    guard_streams()
    try:
        _call()
    except ModeratorError as error:
        _end(exit_code_of(error), error.end_reason, str(error))
    except OSError as error:  # such as a full disk: no fault of ours
        reason = (error.strerror or type(error).__name__).lower()
        _end(exit_codes.STOPPED, _CRASHED, f"cannot read or write: {reason}")
    except Exception as error:  # noqa: BLE001 - the one place; a fault of ours must not print the values it met
        frames = "".join(traceback.format_tb(error.__traceback__))
        sys.stderr.write(f"Traceback (most recent call last):\n{frames}")
        fault = f"a fault in moderator: `{type(error).__name__}`; please report the lines above"
        _end(exit_codes.STOPPED, _CRASHED, fault)


def _call() -> None:
    try:
        app()
    except SystemExit as ended:  # every command ends so; its code counts once its output is written
        usage_error = getattr(ended.__context__, "format_message", None)  # some versions of typer bring their own click
        if _runs_until_signal() and usage_error:
            _end(exit_codes.WRONG_CONFIGURATION, "usage", usage_error())
        sys.stdout.flush()
        raise


def _end(code: int, reason: str, error: str) -> NoReturn:
    if _runs_until_signal():
        flush_outputs()
        end(code, reason, error)
    sys.stderr.write(f"error: {error}\n")
    flush_outputs()  # the error was written first; a failed output changes nothing
    if code == exit_codes.STOPPED:
        # a thread that hangs in a device's or a client's code would turn a normal exit into an abort
        os._exit(code)
    sys.exit(code)


def _runs_until_signal() -> bool:
    return sys.argv[1:2] in ENDING_COMMANDS


def exit_code_of(error: ModeratorError) -> int:
    """Give the exit code for an error that ended a command."""
    match error:
        case ConfigurationError():
            return exit_codes.WRONG_CONFIGURATION
        case BrokerUnavailableError() | ReplicaUnreachableError():
            return exit_codes.SERVER_UNREACHABLE
        case _:
            return exit_codes.STOPPED
