"""Whether policies may decide: one answer at start, at every reload and in every replica.

It depends on the folder's content, the model and the topic alone, never on a replica's own traffic or time.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from moderator.errors import PolicyError
from moderator.events import ModelIdentity
from moderator.observability.logging import get_logger
from moderator.policy.files.folder import Files
from moderator.policy.live.watching import FolderState
from moderator.policy.loader import load_policies
from moderator.policy.policy_set import PolicySet
from moderator.policy.syntax.diagnostics import Diagnostic, Diagnostics, error_text, quote
from moderator.policy.test_runner import TestResult, closed_gaps, coverage_problems, run_tests

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Policies that may decide.

    Attributes:
        source: the hash of the files they were read from.
        warnings: what is merely odd about them.
    """

    policies: PolicySet
    source: str
    files: Files
    warnings: tuple[Diagnostic, ...]

    def log_warnings(self) -> None:
        """Say what is odd."""
        for warning in self.warnings:
            log.warning("policy_warning", warning=str(warning))


@dataclass(frozen=True, slots=True)
class Admission:
    """What policies are held against.

    Attributes:
        model: None while it is not loaded yet.
        has_brokers_time: events carry the broker's time; no schedule can be kept by a time that producers choose.
    """

    model: ModelIdentity | None = None
    has_brokers_time: bool = True

    def admit(self, state: FolderState) -> Accepted:
        """Read, check and test what a folder holds.

        Raises:
            PolicyError: it may not decide; the text says all that is wrong.
        """
        if isinstance(state.files, PolicyError):
            raise state.files
        policies = load_policies(state.files, state.folder)
        results = run_tests(policies)
        _demand_passing_tests(results, state)
        odd = [*policies.warnings, *_as_warnings([*coverage_problems(policies), *closed_gaps(results)])]
        if self.model is not None:
            odd += policies.check_model(self.model)
        if policies.uses_event_time and not self.has_brokers_time:
            raise PolicyError(
                f"the policies in `{state.folder}` go by event time (`starts`, `until`), and the events carry their "
                "producers' clocks: set `message.timestamp.type=LogAppendTime` on the events topic, or leave these out"
            )
        return Accepted(policies, state.source, state.files, tuple(odd))


def _demand_passing_tests(results: Iterable[TestResult], state: FolderState) -> None:
    report = Diagnostics()
    for result in results:
        if result.fails:
            got = "; ".join(f"{each.what}: expected {each.expected}, got {each.got}" for each in result.mismatches)
            report.error("P075", result.test.span, f"the test {quote(result.test.name)} fails", got)
    if report.errors:
        raise PolicyError(error_text(f"the policies in `{state.folder}` fail their own tests", report.problems))


def _as_warnings(problems: Iterable[Diagnostic]) -> list[Diagnostic]:
    """What `policy test` fails for in a pipeline must not keep an urgent rule from its work."""
    return [replace(problem, level="warning") for problem in problems]
