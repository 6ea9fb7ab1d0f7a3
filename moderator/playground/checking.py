"""What is wrong with an edited folder, and what its own tests say of it."""

from dataclasses import dataclass
from pathlib import Path

from moderator.policy import Diagnostic, PolicySet
from moderator.policy.files.folder import Files
from moderator.policy.files.uncounted import uncounted_warnings
from moderator.policy.loader import check_folder
from moderator.policy.syntax.diagnostics import Diagnostics
from moderator.policy.test_runner import TestResult, run_tests


@dataclass(frozen=True, slots=True)
class Checked:
    """An edited folder.

    Attributes:
        policies: None where there are errors.
        problems: as `policy check` finds them, by file and line.
        tests: empty where there are errors.
    """

    policies: PolicySet | None
    problems: tuple[Diagnostic, ...]
    tests: tuple[TestResult, ...]

    @property
    def record(self) -> dict[str, object]:
        """The answer to a program."""
        return {
            "ok": self.policies is not None,
            "snapshot": self.policies.snapshot if self.policies else None,
            "problems": problem_records(self.problems),
            "tests": [_test_record(result) for result in self.tests],
            "signals": signal_records(self.policies) if self.policies else [],
        }


def check(files: Files, folder: Path, now_ms: int, uncounted: tuple[str, ...] = ()) -> Checked:
    """Check files as `policy check` does, and run their tests.

    Args:
        files: as they would be.
        folder: what errors call them.
        now_ms: what has ended then is warned of.
        uncounted: names in the folder that look like files of it and are none.
    """
    policies, problems = check_folder(files, folder, now_ms)
    diagnostics = Diagnostics()
    diagnostics.extend([*problems, *uncounted_warnings(uncounted)])
    return Checked(policies, tuple(diagnostics.all), tuple(run_tests(policies)) if policies else ())


def problem_records(problems: tuple[Diagnostic, ...]) -> list[dict[str, object]]:
    """Give problems as programs read them; `width` is how many characters are wrong."""
    return [
        {
            "code": problem.code,
            "severity": problem.level,
            "file": problem.file,
            "line": problem.span.line if problem.span else None,
            "column": problem.span.column if problem.span else None,
            "width": problem.span.width if problem.span else None,
            "message": problem.message,
            "hint": problem.hint,
        }
        for problem in problems
    ]


def signal_records(policies: PolicySet) -> list[dict[str, object]]:
    """Give the signals whose scores somebody may set; those that follow from others are left out."""
    return [
        {
            "name": signal.name,
            "kind": signal.kind,
            "about": signal.about,
            "low": None if signal.scale.low is None else float(signal.scale.low),
            "high": None if signal.scale.high is None else float(signal.scale.high),
            "unit": signal.scale.unit,
        }
        for signal in policies.signals
        if not signal.members
    ]


def _test_record(result: TestResult) -> dict[str, object]:
    return {
        "test": result.test.name,
        "file": result.test.span.file.name,
        "line": result.test.span.line,
        "state": "failed" if result.fails else "passed",
        "mismatches": [
            {"what": each.what, "expected": each.expected, "got": each.got, "why": each.why}
            for each in result.mismatches
        ],
    }
