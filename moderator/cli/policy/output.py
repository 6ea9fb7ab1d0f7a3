"""What the policy commands share: the folder, JSON, problems, colour on terminals only, counts with nouns."""

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from moderator.policy import Diagnostic, PolicySet

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The policy folder.")]
DEFAULT_FOLDER = Path("policies")
WIDTH = 80
"""Prose is wrapped at this many columns."""

_COLOURS = {"error": 31, "failed": 31, "warning": 33, "unnoticed": 33}


def check_now(folder: Path) -> "tuple[PolicySet | None, list[Diagnostic]]":
    """Check a policy folder as of today, so that what has ended is reported too.

    Raises:
        PolicyError: there is no such folder.
    """
    from moderator.policy.loader import check_folder

    return check_folder(folder, now_ms=int(time.time() * 1000))


def write_json(record: object) -> None:
    """Write one JSON document to stdout."""
    import json

    sys.stdout.write(json.dumps(record, indent=2) + "\n")


def problem_record(problem: "Diagnostic") -> dict[str, object]:
    """Give a problem as programs read it."""
    return {
        "level": problem.level,
        "code": problem.code,
        "file": problem.file,
        "line": problem.span.line if problem.span else None,
        "column": problem.span.column if problem.span else None,
        "message": problem.message,
        "hint": problem.hint,
    }


def write_problems(problems: "list[Diagnostic]") -> None:
    """Write each problem's block to stdout."""
    for problem in problems:
        sys.stdout.write(f"{str(problem).replace(problem.level, paint(problem.level), 1)}\n")


def paint(word: str) -> str:
    """Colour `error`, `failed`, `warning` or `unnoticed` where stdout is a terminal that wants colour."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return word
    return f"\033[{_COLOURS[word]}m{word}\033[0m"
