"""Entry point of `moderator` and `python -m moderator`. Nothing but the standard library is imported at first."""

import sys

from moderator.ending import ENDING_COMMANDS, SIGNALS_OF_RUN


def main() -> None:
    """Run the command line; `run` and `serve` handle signals from their first moment on."""
    # a check that is interrupted must not end with 0
    if sys.argv[1:2] in ENDING_COMMANDS and "--check" not in sys.argv:
        SIGNALS_OF_RUN.handle()
    from moderator.cli.app import main as run_command_line  # noqa: PLC0415 - takes a while

    run_command_line()


if __name__ == "__main__":
    main()
