"""`moderator policy check` and `moderator policy test`: the loader and judge of `run`; no torch, Kafka or Redis."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import exit_codes

if TYPE_CHECKING:
    from moderator.policy import PolicySet, Problem
    from moderator.policy.trial import TestResult

app = typer.Typer(name="policy", help="Check and test a policy folder.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="[DIR]", help="The policy folder.")]
DEFAULT_FOLDER = Path("policies")


class Format(StrEnum):
    """How the report is written."""

    TEXT = "text"
    JSON = "json"


@app.command()
def check(
    folder: Folder = DEFAULT_FOLDER,
    model: Annotated[
        str | None, typer.Option(help="A model folder, or `builtin`: hold the signals against its objectives.")
    ] = None,
    report_format: Annotated[Format, typer.Option("--format", help="How to write the report.")] = Format.TEXT,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    about: Annotated[str | None, typer.Option(metavar="CODE", help="Explain a code, such as P021, and end.")] = None,
) -> None:
    """Find everything wrong in a policy folder. Exit 0: nothing, 1: errors, 2: wrong usage."""
    if about is not None:
        raise typer.Exit(_explain(about))
    from moderator.policy.loader import check_folder, model_problems
    from moderator.policy.model_objectives import read_objectives

    objectives = None if model is None else read_objectives(model)
    policies, problems = check_folder(folder)
    if policies is not None and model is not None and objectives is not None:
        problems = [*problems, *model_problems(policies, objectives, Path(model).resolve().name)]
    if report_format is Format.JSON:
        _write_json(_check_record(policies, problems))
    else:
        _write_check(folder, policies, problems)
    fails = any(problem.level == "error" or strict for problem in problems)
    raise typer.Exit(exit_codes.CHECK_FAILED if fails else exit_codes.OK)


@app.command("test")
def check_tests(
    folder: Folder = DEFAULT_FOLDER,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write the results as JSON.")] = False,
) -> None:
    """Run the folder's tests. Exit 0: all pass and every live rule is covered, 1: not so, 2: wrong usage."""
    from moderator.policy.loader import check_folder
    from moderator.policy.trial import coverage_problems, run_tests

    policies, problems = check_folder(folder)
    errors = [problem for problem in problems if problem.level == "error"]
    results = [] if policies is None else run_tests(policies)
    if policies is not None:
        errors += coverage_problems(policies)
    if as_json:
        _write_json(_test_record(results, errors))
    else:
        _write_tests(results, errors)
    fails = errors or any(result.mismatches for result in results)
    raise typer.Exit(exit_codes.CHECK_FAILED if fails else exit_codes.OK)


def _explain(code: str) -> int:
    from moderator.policy.codes import CODES

    if code.upper() not in CODES:
        sys.stderr.write(f"error: there is no code `{code}`; codes are P001 to {max(CODES)}\n")
        return exit_codes.WRONG_CONFIGURATION
    sys.stdout.write(f"{code.upper()}: {CODES[code.upper()]}\n")
    return exit_codes.OK


def _write_check(folder: Path, policies: "PolicySet | None", problems: "list[Problem]") -> None:
    for problem in problems:
        sys.stdout.write(f"{_coloured(problem)}\n")
    if policies is not None:
        modes = [rule.mode for rule in policies.rules]
        shares = ", ".join(f"{modes.count(mode)} {mode}" for mode in ("live", "shadow", "off"))
        sys.stdout.write(f"{folder}: {_count(len(modes), 'rule')} ({shares}), snapshot {policies.snapshot}\n")
    errors = sum(problem.level == "error" for problem in problems)
    sys.stdout.write(f"{_count(errors, 'error')}, {_count(len(problems) - errors, 'warning')}\n")


def _write_tests(results: "list[TestResult]", errors: "list[Problem]") -> None:
    for problem in errors:
        sys.stdout.write(f"{_coloured(problem)}\n")
    for result in results:
        if result.mismatches:
            sys.stdout.write(_failure(result))
    failed = sum(bool(result.mismatches) for result in results)
    summary = f"{_count(len(results), 'test')}, {len(results) - failed} passed, {failed} failed"
    sys.stdout.write(f"{summary}, {_count(len(errors), 'error')}\n")


def _failure(result: "TestResult") -> str:
    from moderator.policy.problems import printable

    width = max(len(mismatch.what) for mismatch in result.mismatches)
    lines = [f"{_paint('error', 'failed')} P075 {result.test.span} {printable(result.test.name)}"]
    for mismatch in result.mismatches:
        why = f"  ({mismatch.why})" if mismatch.why else ""
        lines.append(f"  {mismatch.what:<{width}}  expected {mismatch.expected}, got {mismatch.got}{why}")
    return "\n".join(lines) + "\n"


def _check_record(policies: "PolicySet | None", problems: "list[Problem]") -> dict[str, object]:
    return {
        "snapshot": policies.snapshot if policies else None,
        "rules": policies.rule_count if policies else None,
        "problems": [_problem_record(problem) for problem in problems],
    }


def _test_record(results: "list[TestResult]", errors: "list[Problem]") -> dict[str, object]:
    return {
        "tests": [
            {
                "test": result.test.name,
                "tests_for": result.test.policy,
                "file": result.test.span.file.name,
                "line": result.test.span.line,
                "passed": not result.mismatches,
                "mismatches": [
                    {"what": mismatch.what, "expected": mismatch.expected, "got": mismatch.got}
                    for mismatch in result.mismatches
                ],
            }
            for result in results
        ],
        "problems": [_problem_record(problem) for problem in errors],
    }


def _problem_record(problem: "Problem") -> dict[str, object]:
    return {
        "level": problem.level,
        "code": problem.code,
        "file": problem.file,
        "line": problem.span.line if problem.span else None,
        "column": problem.span.column if problem.span else None,
        "message": problem.message,
        "hint": problem.hint,
    }


def _write_json(record: dict[str, object]) -> None:
    import json

    sys.stdout.write(json.dumps(record, indent=2) + "\n")


def _coloured(problem: "Problem") -> str:
    return str(problem).replace(problem.level, _paint(problem.level, problem.level), 1)


def _paint(level: str, text: str) -> str:
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{31 if level == 'error' else 33}m{text}\033[0m"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
