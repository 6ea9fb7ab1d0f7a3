"""`moderator policy check`: everything wrong in a folder, all at once."""

import sys
from enum import StrEnum
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import exit_codes
from moderator.cli.policy.output import (
    DEFAULT_FOLDER,
    WIDTH,
    Folder,
    check_now,
    problem_record,
    write_json,
    write_problems,
)
from moderator.counted import counted

if TYPE_CHECKING:
    from moderator.policy import Diagnostic, PolicySet


_LANGUAGE = "language"


class Format(StrEnum):
    """How the report is written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def check(
    folder: Folder = DEFAULT_FOLDER,
    model: Annotated[
        str | None, typer.Option(help="A model folder, or `builtin`: check the signals against its objectives.")
    ] = None,
    report_format: Annotated[Format, typer.Option("--format", help="How to write the report.")] = Format.TEXT,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    about: Annotated[
        str | None,
        typer.Option(
            metavar="CODE", help="Explain a code, such as P021, or print the `language` on one page, and end."
        ),
    ] = None,
) -> None:
    """Find everything wrong in a policy folder. Exit 0: nothing, 1: errors, 2: wrong usage."""
    if about is not None:
        raise typer.Exit(_explain(about))
    from moderator.policy.authoring.model_outputs import read_outputs
    from moderator.settings import load_settings

    settings = load_settings({"model.path": model}).model
    outputs = None if model is None else read_outputs(model, settings.scale, settings.verdicts)
    policies, problems = check_now(folder)
    if policies is not None and outputs is not None:
        problems = [*problems, *policies.check_outputs(outputs)]
    _report(report_format, folder, policies, problems)
    fails = any(problem.level == "error" or strict for problem in problems)
    raise typer.Exit(exit_codes.CHECK_FAILED if fails else exit_codes.OK)


def _report(report_format: Format, folder: Path, policies: "PolicySet | None", problems: "list[Diagnostic]") -> None:
    match report_format:
        case Format.JSON:
            write_json(_record(policies, problems))
        case Format.SARIF:
            from moderator.policy.authoring.sarif import sarif_log

            write_json(sarif_log(problems, folder))
        case Format.TEXT:
            _write(folder, policies, problems)


def _explain(code: str) -> int:
    from moderator.policy.authoring.language_page import language_page
    from moderator.policy.syntax.codes import CODES

    if code.lower() == _LANGUAGE:
        sys.stdout.write(language_page())
        return exit_codes.OK
    if code.upper() not in CODES:
        sys.stderr.write(f"error: there is no code `{code}`; codes are P001 to {max(CODES)}, or `{_LANGUAGE}`\n")
        return exit_codes.WRONG_CONFIGURATION
    sys.stdout.write(f"{fill(f'{code.upper()}: {CODES[code.upper()]}', WIDTH, break_on_hyphens=False)}\n")
    return exit_codes.OK


def _write(folder: Path, policies: "PolicySet | None", problems: "list[Diagnostic]") -> None:
    write_problems(problems)
    if policies is not None:
        modes = [rule.mode for rule in policies.rules]
        shares = ", ".join(f"{modes.count(mode)} {mode}" for mode in ("live", "shadow", "off"))
        sys.stdout.write("".join(f"{line}\n" for line in policies.true_shares()))
        sys.stdout.write("".join(f"note: {note}\n" for note in policies.notes))
        sys.stdout.write(f"{folder}: {counted(len(modes), 'rule')} ({shares})\n")
        sys.stdout.write(f"snapshot {policies.snapshot}\n")
    errors = sum(problem.level == "error" for problem in problems)
    sys.stdout.write(f"{counted(errors, 'error')}, {counted(len(problems) - errors, 'warning')}\n")


def _record(policies: "PolicySet | None", problems: "list[Diagnostic]") -> dict[str, object]:
    return {
        "snapshot": policies.snapshot if policies else None,
        "rules": policies.rule_count if policies else None,
        "notes": policies.notes if policies else [],
        "problems": [problem_record(problem) for problem in problems],
    }
