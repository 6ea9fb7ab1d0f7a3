"""Policies taken up while the stream runs: judged aside, then swapped in one step, or refused.

Acceptance depends on the folder's content, the model and the topic alone, so replicas never disagree.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moderator.errors import PolicyError, reason_of
from moderator.observability.health import HealthBoard, PolicyHealth
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.policy.analysis.diff import Change, Difference, diff
from moderator.policy.live.admission import Accepted, Admission
from moderator.policy.live.snapshot_store import SnapshotStore
from moderator.policy.live.watching import LOOK_EVERY_S, FolderState, FolderWatch, look_into
from moderator.policy.policy_set import PolicySet

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a folder held that may not decide, and why."""

    state: FolderState
    error: str


@dataclass(frozen=True, slots=True)
class Start:
    """What a process starts with: the folder's policies, or the last good ones where the folder's were refused."""

    accepted: Accepted
    refusal: Refusal | None


def choose(state: FolderState, admission: Admission, kept: SnapshotStore | None) -> Start:
    """Accept what the folder holds, or else the last good policies that were kept.

    Raises:
        PolicyError: the folder's are refused, and no others are kept, or those are refused too.
    """
    try:
        return Start(admission.admit(state), None)
    except PolicyError as error:
        snapshot = kept.last_good() if kept else None
        if kept is None or snapshot is None:
            raise
        return Start(_last_good(kept.folder_of(snapshot), snapshot, admission, error), Refusal(state, str(error)))


def _last_good(folder: Path, snapshot: str, admission: Admission, error: PolicyError) -> Accepted:
    try:
        accepted = admission.admit(look_into(folder))
    except PolicyError as second:
        raise PolicyError(f"{error}\nand so are the last good policies: {second}") from second
    if accepted.policies.snapshot != snapshot:
        raise PolicyError(
            f"{error}\nand the last good policies in `{folder}` are not what was kept there: damaged; "
            "mend the policy folder, and its policies are kept instead"
        )
    return accepted


class Reloading:
    """Follows a policy folder; one thread owns it.

    Args:
        swap: compiles a policy set and lets it decide from the next window on; raises before it changes anything.
    """

    def __init__(
        self,
        watch: FolderWatch,
        start: Start,
        admission: Admission,
        *,
        swap: Callable[[PolicySet], None],
        kept: SnapshotStore | None,
        metrics: Metrics,
        board: HealthBoard,
        monotonic_s: Callable[[], float],
        max_stale_s: float | None = None,
    ) -> None:
        self._watch = watch
        self._running = start.accepted
        self._refusal = start.refusal
        self._admission = admission
        self._swap = swap
        self._kept = kept
        self._is_kept = start.refusal is not None
        self._is_keeping_hindered = False
        self._metrics = metrics
        self._board = board
        self._monotonic_s = monotonic_s
        self._max_stale_s = max_stale_s
        metrics.policy_stale_seconds.set_function(self._stale_s)
        self._show_policies()
        self._show()
        self._say_start()

    def follow(self, stop: threading.Event) -> None:
        """Look every 2 s until `stop` is set."""
        self.turn()
        while not stop.wait(LOOK_EVERY_S):
            self.turn()

    def turn(self) -> None:
        """Look once, and act where the folder has settled on something new."""
        state = self._watch.look()
        if state is not None:
            self._consider(state)
        self._keep()

    def _consider(self, state: FolderState) -> None:
        if state.source == self._running.source:
            self._agree()
        elif self._refusal is None or state.source != self._refusal.state.source:
            self._judge(state)

    def _judge(self, state: FolderState) -> None:
        try:
            accepted = self._admission.admit(state)
            difference = diff(self._running.policies, accepted.policies)
            self._swap(accepted.policies)
        except PolicyError as error:
            self._refuse(Refusal(state, str(error)))
        except Exception as error:  # noqa: BLE001 - whatever a fault of ours trips over, the last good policies go on
            why = f"judging them raised `{type(error).__name__}`, a fault in moderator: please report it"
            self._refuse(Refusal(state, why))
        else:
            self._take_up(accepted, difference)

    def _refuse(self, refusal: Refusal) -> None:
        self._refusal = refusal
        self._show()
        self._say_refused(refusal)

    def _take_up(self, accepted: Accepted, difference: Difference) -> None:
        before, after = self._running.policies.snapshot, accepted.policies.snapshot
        self._running = accepted
        self._refusal = None
        self._is_kept = False
        self._show_policies()
        self._show()
        if before != after:
            self._metrics.policy_snapshot.remove(before)
        changes = [_in_one_line(change) for change in difference.changes]
        log.info("policies_reloaded", snapshot=after, before=before, changes=changes, claim=difference.claim)
        accepted.log_warnings()

    def _agree(self) -> None:
        """Hear that the folder holds what decides: nothing was changed, or what was refused was taken back."""
        if self._refusal is not None:
            log.info("policies_taken_back", decided_by=self._running.policies.snapshot)
        self._refusal = None
        self._show()

    def _show_policies(self) -> None:
        policies = self._running.policies
        self._metrics.policy_snapshot.labels(policies.snapshot).set(1)
        self._metrics.rule_budget_ratio.clear()
        for rule in policies.active_rules:
            if rule.flag_share is not None:
                self._metrics.rule_budget_ratio.labels(rule.id).set(float(rule.flag_share / 100))

    def _show(self) -> None:
        self._metrics.policy_reload_ok.set(self._refusal is None)
        if self._refusal is None or self._board.policies is None:
            self._board.policies = PolicyHealth(self._monotonic_s(), self._max_stale_s)

    def _stale_s(self) -> float:
        policies = self._board.policies
        return self._monotonic_s() - policies.agreed_at_s if policies else 0.0

    def _say_start(self) -> None:
        self._running.log_warnings()
        if self._refusal is not None:
            self._say_refused(self._refusal)
            log.warning("started_on_last_good_policies", snapshot=self._running.policies.snapshot)

    def _say_refused(self, refusal: Refusal) -> None:
        decided_by = self._running.policies.snapshot
        log.error("policies_refused", folder=str(refusal.state.folder), error=refusal.error, decided_by=decided_by)

    def _keep(self) -> None:
        """Keep what decides; where that fails, say so once and try again at every look."""
        if self._kept is None or self._is_kept:
            return
        try:
            self._kept.keep(self._running.policies.snapshot, self._running.files)
        except OSError as error:
            if not self._is_keeping_hindered:
                why = reason_of(error)
                log.warning("policies_not_kept", state_dir=str(self._kept.folder), cause=why)
            self._is_keeping_hindered = True
        else:
            self._is_kept = True
            self._is_keeping_hindered = False


def _in_one_line(change: Change) -> str:
    text = f"{change.kind} {change.what}: {'; '.join(change.lines)}"
    return ", ".join(filter(None, (text, change.claim, change.warning)))
