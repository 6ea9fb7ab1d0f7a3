"""The command line, run in this process."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from moderator.cli.app import main


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]


def command_line(monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str], *first: str) -> Command:
    """Give a function that runs `moderator`, with these arguments before its own."""

    def run(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["moderator", *first, *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Ran(int(ended.value.code or 0), *capture.readouterr())

    return run
