"""`moderator policy test`: the folder's own tests, by the judge that decides in production."""

from typing import Annotated

import typer

from moderator.cli import exit_codes
from moderator.cli.policy.output import DEFAULT_FOLDER, Folder, check_now


def run_tests(
    folder: Folder = DEFAULT_FOLDER,
    *,
    coverage: Annotated[bool, typer.Option("--coverage", help="Count what the tests show of each rule.")] = False,
    mutate: Annotated[
        bool, typer.Option("--mutate", help="Change limits and words a little, and list what no test notices.")
    ] = False,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Write tests at, just under and just over each limit.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write the results as JSON.")] = False,
) -> None:
    """Run the folder's tests. Exit 0: all pass and every live rule is covered, 1: not so, 2: wrong usage.

    With --mutate, exit 1 also when a change goes unnoticed.
    """
    from moderator.cli.policy import tests_report as report
    from moderator.policy import test_runner
    from moderator.policy.analysis.untimed import untimed_tests
    from moderator.policy.authoring.test_tools.coverage import cover
    from moderator.policy.authoring.test_tools.mutate import mutate as try_mutants
    from moderator.policy.authoring.test_tools.suggest import suggest as suggest_tests

    policies, problems = check_now(folder)
    outcome = report.Outcome([problem for problem in problems if problem.level == "error"], is_mutation_wanted=mutate)
    if policies is not None:
        outcome.results = test_runner.run_tests(policies)
        outcome.errors += untimed_tests(policies) + test_runner.untested_rules(policies)
        outcome.errors += test_runner.closed_gaps(outcome.results)
        outcome.coverage = cover(policies, outcome.results) if coverage else None
        outcome.mutation = try_mutants(policies) if mutate and outcome.passes else None
        outcome.suggestions = suggest_tests(policies) if suggest else None
    report.write(outcome, as_json=as_json)
    is_good = outcome.passes and not (outcome.mutation and outcome.mutation.unnoticed)
    raise typer.Exit(exit_codes.OK if is_good else exit_codes.CHECK_FAILED)
