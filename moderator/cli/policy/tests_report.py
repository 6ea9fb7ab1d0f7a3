"""The report of `moderator policy test`: as text, or as JSON."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from moderator.cli.policy.output import paint, problem_record, write_json, write_problems
from moderator.counted import counted
from moderator.policy.authoring.test_tools.coverage import ConditionCoverage, RuleCoverage
from moderator.policy.authoring.test_tools.mutants import Mutant
from moderator.policy.authoring.test_tools.mutate import Mutation
from moderator.policy.authoring.test_tools.suggest import Suggestions
from moderator.policy.language.ast import Condition
from moderator.policy.syntax.diagnostics import Diagnostic, Span, in_quotes, printable
from moderator.policy.test_runner import TestResult

Record = dict[str, object]


@dataclass(slots=True)
class Outcome:
    """The results of a folder's tests; None for what was not asked for, or could not be computed."""

    errors: list[Diagnostic]
    results: list[TestResult] = field(default_factory=list)
    coverage: list[RuleCoverage] | None = None
    mutation: Mutation | None = None
    is_mutation_wanted: bool = False
    suggestions: Suggestions | None = None

    @property
    def passes(self) -> bool:
        """Nothing is wrong and no test fails."""
        return not self.errors and not any(result.fails for result in self.results)


def write(outcome: Outcome, *, as_json: bool) -> None:
    """Write everything to stdout."""
    if as_json:
        write_json(_record(outcome))
        return
    write_problems(outcome.errors)
    sys.stdout.writelines(_failure(result) for result in outcome.results if result.fails)
    sys.stdout.write(_summary(outcome))
    sys.stdout.writelines(f"{line}\n" for line in _coverage(outcome.coverage or ()))
    sys.stdout.writelines(f"{line}\n" for line in _mutation(outcome))
    sys.stdout.writelines(f"{line}\n" for line in _suggestions(outcome.suggestions))


def _failure(result: TestResult) -> str:
    width = max(len(mismatch.what) for mismatch in result.mismatches)
    lines = [f"{paint('failed')} P075 {result.test.span} {printable(result.test.name)}"]
    for mismatch in result.mismatches:
        why = f"  ({mismatch.why})" if mismatch.why else ""
        lines.append(f"  {mismatch.what:<{width}}  expected {mismatch.expected}, got {mismatch.got}{why}")
    return "\n".join(lines) + "\n"


def _summary(outcome: Outcome) -> str:
    failed = sum(result.fails for result in outcome.results)
    gaps = sum(bool(result.mismatches) and not result.fails for result in outcome.results)
    passed = len(outcome.results) - failed - gaps
    parts = [counted(len(outcome.results), "test"), f"{passed} passed", f"{failed} failed"]
    parts += [counted(gaps, "known gap")] if gaps else []
    return ", ".join([*parts, counted(len(outcome.errors), "error")]) + "\n"


def _coverage(coverage: Iterable[RuleCoverage]) -> Iterator[str]:
    for one in coverage:
        outcomes = ", ".join(f"{number} {outcome}" for outcome, number in sorted(one.outcomes.items(), key=_by_count))
        yield f"\n{one.rule.id} ({one.rule.mode})"
        yield f"  {outcomes or 'no test names it'}"
        width = max((len(_comparison(condition)) for condition in one.conditions), default=0)
        yield from (f"  {_comparison(condition):<{width}}  {_seen(condition)}" for condition in one.conditions)
        yield from (f"  item {number} of except: never exempted anything" for number in one.unused_exceptions)


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _comparison(one: ConditionCoverage) -> str:
    return f"{one.part} {_written(one.condition)}"


def _written(condition: Condition) -> str:
    return f"{condition.signal.name} {condition.phrase}"


def _seen(one: ConditionCoverage) -> str:
    if not (one.held or one.missed or one.unknown):
        return "never seen"
    counts = [f"{one.held} yes", f"{one.missed} no", *([f"{one.unknown} unknown"] if one.unknown else [])]
    lacking = [] if one.held else ["never seen to hold"]
    lacking += [] if one.missed else ["never seen not to hold"]
    return ", ".join(counts + lacking)


def _mutation(outcome: Outcome) -> Iterator[str]:
    mutation = outcome.mutation
    if mutation is None:
        yield from ["no changes tried: --mutate needs tests that pass"] if outcome.is_mutation_wanted else []
        return
    noticed = mutation.tried - len(mutation.unnoticed)
    yield f"{counted(mutation.tried, 'small change')} tried, {noticed} noticed by a test, {len(mutation.unnoticed)} not"
    for rule, mutants in groupby(mutation.unnoticed, key=lambda mutant: mutant.rule.id):
        yield f"{paint('unnoticed')} P077 {rule}"
        yield from (f"  {mutant.span}  {mutant.change}" for mutant in mutants)
    if any(mutant.is_at_limit for mutant in mutation.unnoticed):
        yield "`--suggest` writes tests near each limit"


def _suggestions(suggestions: Suggestions | None) -> Iterator[str]:
    if suggestions is None:
        return
    for (file, policy, is_new), tests in groupby(suggestions.tests, key=lambda one: (one.file, one.policy, one.is_new)):
        yield f"\n# {file}: read each one, it expects what is decided today"
        yield from (f"tests_for: {in_quotes(policy)}", "tests:") if is_new else ("# add these under tests:",)
        yield "\n".join(one.text for one in tests).rstrip("\n")
    if suggestions.untestable:
        yield "\nno test could be made for these limits: no event and scores were found where each alone decides:"
        yield from (f"  {one.span}  {rule.id}: {_written(one)}" for rule, one in suggestions.untestable)
    elif not suggestions.tests:
        yield "nothing to suggest: every limit has its tests"


def _record(outcome: Outcome) -> Record:
    record: Record = {
        "tests": [_result_record(result) for result in outcome.results],
        "problems": [problem_record(problem) for problem in outcome.errors],
    }
    if outcome.coverage is not None:
        record["coverage"] = [_coverage_record(one) for one in outcome.coverage]
    if outcome.mutation is not None:
        unnoticed = [_mutant_record(mutant) for mutant in outcome.mutation.unnoticed]
        record["mutation"] = {"tried": outcome.mutation.tried, "unnoticed": unnoticed}
    if outcome.suggestions is not None:
        record["suggestions"] = [
            {"tests_for": one.policy, "file": one.file, "test": one.name, "yaml": one.text}
            for one in outcome.suggestions.tests
        ]
        record["limits_without_suggestion"] = [
            {"rule": rule.id, "limit": _written(one), **_place(one.span)}
            for rule, one in outcome.suggestions.untestable
        ]
    return record


def _result_record(result: TestResult) -> Record:
    return {
        "test": result.test.name,
        "tests_for": result.test.policy,
        "file": result.test.span.file.name,
        "line": result.test.span.line,
        "passed": not result.mismatches,
        "known_gap": result.test.known_gap,
        "mismatches": [
            {"what": mismatch.what, "expected": mismatch.expected, "got": mismatch.got}
            for mismatch in result.mismatches
        ],
    }


def _coverage_record(one: RuleCoverage) -> Record:
    return {
        "rule": one.rule.id,
        "mode": one.rule.mode,
        "is_whole": one.is_whole,
        "outcomes": dict(sorted(one.outcomes.items())),
        "conditions": [
            {
                "part": seen.part,
                "signal": seen.condition.signal.name,
                "phrase": seen.condition.phrase,
                "held": seen.held,
                "missed": seen.missed,
                "unknown": seen.unknown,
            }
            for seen in one.conditions
        ],
        "unused_exceptions": list(one.unused_exceptions),
    }


def _mutant_record(mutant: Mutant) -> Record:
    return {
        "rule": mutant.rule.id,
        "change": mutant.change,
        **_place(mutant.span),
    }


def _place(span: Span) -> Record:
    return {"file": span.file.name, "line": span.line, "column": span.column}
