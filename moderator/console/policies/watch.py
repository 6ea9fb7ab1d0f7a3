"""The policy folder as the console sees it: read every two seconds, checked and tested, never written."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moderator.errors import PolicyError
from moderator.objectives import ModelOutputs
from moderator.policy.live.admission import Admission
from moderator.policy.live.folder_watch import POLL_EVERY_S, FolderState, FolderWatch, read_folder
from moderator.policy.live.refusal import Refusal, refusal_of
from moderator.policy.live.snapshot_store import SnapshotStore
from moderator.policy.policy_set import PolicySet
from moderator.policy.syntax.diagnostics import Diagnostic
from moderator.policy.test_runner import TestResult, run_tests

_KEPT_SNAPSHOTS = 32


@dataclass(frozen=True, slots=True)
class FolderReport:
    """What the folder held when it was read, and whether that may decide.

    Attributes:
        policies: None where they cannot be read without an error; they may be refused all the same.
        refusal: why they may not decide; None where they may.
        tests: results of the folder's own tests; empty without policies.
        read_ms: when the folder was found to hold this.
    """

    state: FolderState
    policies: PolicySet | None
    refusal: Refusal | None
    warnings: tuple[Diagnostic, ...]
    tests: tuple[TestResult, ...]
    read_ms: int

    @property
    def is_unreadable(self) -> bool:
        """The folder itself cannot be listed."""
        return isinstance(self.state.files, PolicyError)


class PolicyWatch:
    """Follows one folder on a thread of its own.

    Args:
        folder: what holds the policies.
        state_dir: where replicas keep those that they accepted; None: nowhere.
        outputs: gives what the model of the newest decision can score; None: not known yet.

    Attributes:
        report: replaced and never changed; None until the folder was read.
    """

    def __init__(
        self,
        folder: Path,
        state_dir: Path | None,
        outputs: Callable[[], ModelOutputs | None],
        now_ms: Callable[[], int],
    ) -> None:
        self.folder = folder
        self.report: FolderReport | None = None
        self._watch = FolderWatch(folder)
        self._store = SnapshotStore(state_dir) if state_dir else None
        self._outputs = outputs
        self._now_ms = now_ms
        self._checked_with: ModelOutputs | None = None
        self._earlier: dict[str, PolicySet | None] = {}
        self._stop = threading.Event()

    def run(self) -> None:
        """Poll until `stop`."""
        self.read()
        while not self._stop.wait(POLL_EVERY_S):
            self.poll()

    def stop(self) -> None:
        """Let `run` return soon."""
        self._stop.set()

    def read(self) -> None:
        """Read the folder now, whether or not it is being written."""
        self._consider(read_folder(self.folder))

    def poll(self) -> None:
        """Read the folder, and apply what is new and has stopped changing."""
        state = self._watch.poll()
        if state is not None:
            self._consider(state)

    def find(self, snapshot: str) -> PolicySet | None:
        """Give the policies of a snapshot: the folder's, or those that replicas kept; None when they are not found."""
        policies = self.report.policies if self.report else None
        if policies is not None and policies.snapshot == snapshot:
            return policies
        if self._store is None:
            return None
        if snapshot not in self._earlier:
            while len(self._earlier) >= _KEPT_SNAPSHOTS:
                self._earlier.pop(next(iter(self._earlier)))
            self._earlier[snapshot] = self._store.load(snapshot)
        return self._earlier[snapshot]

    def _consider(self, state: FolderState) -> None:
        outputs = self._outputs()
        known = self.report
        if known is not None and known.state == state and outputs == self._checked_with:
            return
        self._checked_with = outputs
        self.report = report_on(state, outputs, self._now_ms())


def report_on(state: FolderState, outputs: ModelOutputs | None, now_ms: int) -> FolderReport:
    """Check and test what a folder holds, as `run` does before it lets it decide."""
    try:
        accepted = Admission(takes_drafts=True).admit(state)
    except PolicyError as error:
        return FolderReport(state, None, refusal_of(state, error), (), (), now_ms)
    policies, tests = accepted.policies, tuple(run_tests(accepted.policies))
    try:
        if any(result.fails for result in tests):
            Admission().admit(state)
        warnings = Admission(outputs=outputs).check(accepted).warnings
    except PolicyError as error:
        return FolderReport(state, policies, refusal_of(state, error), accepted.warnings, tests, now_ms)
    return FolderReport(state, policies, None, warnings, tests, now_ms)
