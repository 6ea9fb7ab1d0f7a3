"""`moderator policy test`: the folder's own tests, by the judge that decides in production."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli import exit_codes
from moderator.cli.policy.output import (
    DEFAULT_FOLDER,
    Folder,
    count,
    paint,
    problem_record,
    write_json,
    write_problems,
)

if TYPE_CHECKING:
    from moderator.policy import Problem
    from moderator.policy.trial import TestResult


def run_tests(
    folder: Folder = DEFAULT_FOLDER,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write the results as JSON.")] = False,
) -> None:
    """Run the folder's tests. Exit 0: all pass and every live rule is covered, 1: not so, 2: wrong usage."""
    from moderator.policy import trial
    from moderator.policy.loader import check_folder

    policies, problems = check_folder(folder)
    errors = [problem for problem in problems if problem.level == "error"]
    results = [] if policies is None else trial.run_tests(policies)
    if policies is not None:
        errors += trial.coverage_problems(policies)
    if as_json:
        write_json(_record(results, errors))
    else:
        _write(results, errors)
    fails = errors or any(result.mismatches for result in results)
    raise typer.Exit(exit_codes.CHECK_FAILED if fails else exit_codes.OK)


def _write(results: "list[TestResult]", errors: "list[Problem]") -> None:
    write_problems(errors)
    for result in results:
        if result.mismatches:
            sys.stdout.write(_failure(result))
    failed = sum(bool(result.mismatches) for result in results)
    summary = f"{count(len(results), 'test')}, {len(results) - failed} passed, {failed} failed"
    sys.stdout.write(f"{summary}, {count(len(errors), 'error')}\n")


def _failure(result: "TestResult") -> str:
    from moderator.policy.problems import printable

    width = max(len(mismatch.what) for mismatch in result.mismatches)
    lines = [f"{paint('failed')} P075 {result.test.span} {printable(result.test.name)}"]
    for mismatch in result.mismatches:
        why = f"  ({mismatch.why})" if mismatch.why else ""
        lines.append(f"  {mismatch.what:<{width}}  expected {mismatch.expected}, got {mismatch.got}{why}")
    return "\n".join(lines) + "\n"


def _record(results: "list[TestResult]", errors: "list[Problem]") -> dict[str, object]:
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
        "problems": [problem_record(problem) for problem in errors],
    }
