"""Whether policies may decide: the same answer at start, at every reload and in every replica.

It depends on the folder's content, the model and the topic alone, never on a replica's own traffic or time.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from moderator.errors import PolicyError
from moderator.events import ModelIdentity
from moderator.objectives import ModelOutputs
from moderator.policy.files.folder import Files
from moderator.policy.files.uncounted import uncounted_warnings
from moderator.policy.live.folder_watch import FolderState
from moderator.policy.live.refusal import FAILING_TEST
from moderator.policy.loader import load_policies
from moderator.policy.policy_set import PolicySet
from moderator.policy.problems import PolicyProblemsError
from moderator.policy.syntax.diagnostics import Diagnostic, Diagnostics, quote
from moderator.policy.test_runner import TestResult, closed_gaps, run_tests, untested_rules


@dataclass(frozen=True, slots=True)
class Accepted:
    """Policies that may decide.

    Attributes:
        state: the folder they were read from.
        files: its files.
        folder_warnings: about the policies themselves and their tests.
        model_warnings: about the policies with the running model; empty while it is not loaded.
    """

    policies: PolicySet
    state: FolderState
    files: Files
    folder_warnings: tuple[Diagnostic, ...]
    model_warnings: tuple[Diagnostic, ...] = ()

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is wrong with them, but does not stop them from deciding."""
        return self.folder_warnings + self.model_warnings


@dataclass(frozen=True, slots=True)
class Admission:
    """What policies must suit.

    Attributes:
        model: None while it is not loaded yet.
        outputs: what is known of the model before it is loaded; None: nothing.
        has_brokers_time: events carry the broker's time; no schedule can go by a time that producers choose.
        takes_drafts: their own tests may fail: for trying them out, never for a stream.
    """

    model: ModelIdentity | None = None
    has_brokers_time: bool = True
    takes_drafts: bool = False
    outputs: ModelOutputs | None = None

    def admit(self, state: FolderState) -> Accepted:
        """Read, check and test what a folder holds, then `check` it.

        Raises:
            PolicyError: it may not decide; the text says all that is wrong.
        """
        if isinstance(state.files, PolicyError):
            raise state.files
        policies = load_policies(state.files, state.folder)
        results = run_tests(policies)
        if not self.takes_drafts:
            _require_passing_tests(results, policies, state)
        of_tests = _as_warnings([*untested_rules(policies), *closed_gaps(results)])
        warnings = (*policies.warnings, *of_tests, *uncounted_warnings(state.uncounted))
        return self.check(Accepted(policies, state, state.files, warnings))

    def check(self, accepted: Accepted) -> Accepted:
        """Check policies that were read and tested before against the model and the events' time.

        Raises:
            PolicyError: they do not suit the model, or they go by a time that producers choose.
        """
        if self.outputs is not None:
            accepted = replace(accepted, model_warnings=tuple(accepted.policies.require_outputs(self.outputs)))
        if self.model is not None:
            accepted = replace(accepted, model_warnings=tuple(accepted.policies.check_model(self.model)))
        if accepted.policies.uses_event_time and not self.has_brokers_time:
            raise PolicyError(
                f"the policies in `{accepted.state.folder}` go by event time (`starts`, `until`), and the events carry "
                "their producers' clocks: set `message.timestamp.type=LogAppendTime` on the events topic, or leave "
                "these out"
            )
        return accepted


def _require_passing_tests(results: Iterable[TestResult], policies: PolicySet, state: FolderState) -> None:
    owners = {policy.name: policy.owner for policy in policies.policies}
    diagnostics = Diagnostics()
    for result in results:
        if result.fails:
            got = "; ".join(f"{each.what}: expected {each.expected}, got {each.got}" for each in result.mismatches)
            way_out = f"owner: {owners[result.test.policy]}; anyone may mark the test known_gap: true instead"
            message = f"the test {quote(result.test.name)} fails"
            diagnostics.error(FAILING_TEST, result.test.span, message, f"{got}; {way_out}")
    if diagnostics.errors:
        raise PolicyProblemsError(f"the policies in `{state.folder}` fail their own tests", diagnostics.all)


def _as_warnings(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """What `policy test` fails for in a build must not stop an urgent rule from deciding."""
    return [replace(diagnostic, level="warning") for diagnostic in diagnostics]
