"""Edits of the policy folder applied while the stream runs: checked first, then swapped in one step, or refused.

Acceptance depends on the folder's content, the model and the topic alone, so replicas never disagree.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from moderator.errors import PolicyError, reason_of
from moderator.policy.live.admission import Accepted, Admission
from moderator.policy.live.folder_watch import POLL_EVERY_S, FolderState, FolderWatch
from moderator.policy.live.refusal import Refusal, refusal_of
from moderator.policy.live.start import Start, check_again
from moderator.policy.live.status import FolderWord, PolicyStatus
from moderator.policy.policy_set import PolicySet

if TYPE_CHECKING:
    from moderator.policy.analysis.diff import PolicyDiff


class ReloadObserver(Protocol):
    """Is called with what becomes of each edit; must not raise."""

    def started(self, start: Start) -> None:
        """These policies decide first."""
        ...

    def reloaded(self, before: PolicySet, accepted: Accepted, difference: "PolicyDiff") -> None:
        """Other policies decide from now on."""
        ...

    def refused(self, refusal: Refusal, running: PolicySet) -> None:
        """The folder's policies may not decide; those that run go on."""
        ...

    def in_effect(self, running: PolicySet, withdrawn: Refusal | None) -> None:
        """The folder holds what decides; `withdrawn` was refused and is no longer there."""
        ...

    def not_stored(self, state_dir: Path, cause: str) -> None:
        """The policies that decide could not be stored; this is tried again at every poll."""
        ...

    def stored(self) -> None:
        """The policies that decide are in the state folder."""
        ...


class Reloading:
    """Follows a policy folder; one thread owns it.

    Args:
        watch: the folder.
        start: what decides now, and where accepted policies are stored.
        admission: what every edit must suit.
        swap: compiles a policy set and lets it decide from the next window on; raises before it changes anything.
        observer: is called on the thread that polls.
        now_s: the time, in seconds since the epoch.
    """

    def __init__(
        self,
        watch: FolderWatch,
        start: Start,
        admission: Admission,
        *,
        swap: Callable[[PolicySet], None],
        observer: ReloadObserver,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._watch = watch
        self._now_s = now_s
        self._start = start
        self._running = start.accepted
        self._running_since_s = now_s()
        self._refusal = start.refusal
        self._admission = admission
        self._swap = swap
        self._store = start.store
        self._is_stored = start.refusal is not None
        self._has_reported_store = False
        self._observer = observer

    @property
    def status(self) -> PolicyStatus:
        """What decides and what the folder holds; may be asked on any thread."""
        running, refusal, latest = self._running, self._refusal, self._watch.latest
        is_refused = refusal is not None and (latest is None or latest.source == refusal.state.source)
        return PolicyStatus(
            snapshot=running.policies.snapshot,
            source=running.state.source,
            since_s=self._running_since_s,
            folder=_folder_word(latest, running.state, is_refused=is_refused),
            ignored=latest.uncounted if latest else (),
            problems=refusal.problems if refusal and is_refused else (),
        )

    def begin(self, admission: Admission) -> None:
        """Check what decides against what became known since; call once, before `follow`.

        Raises:
            PolicyError: it does not suit, and no last good policies that do are stored.
        """
        self._admission = admission
        start = check_again(self._start, admission)
        if start.accepted.policies is not self._running.policies:
            self._swap(start.accepted.policies)
        self._running, self._refusal = start.accepted, start.refusal
        self._is_stored = start.refusal is not None
        self._observer.started(start)

    def follow(self, stop: threading.Event) -> None:
        """Poll every 2 s until `stop` is set."""
        self.poll()
        while not stop.wait(POLL_EVERY_S):
            self.poll()

    def poll(self) -> None:
        """Read the folder once, and act where it holds something new and has stopped changing."""
        state = self._watch.poll()
        if state is not None:
            self._consider(state)
        self._store_running()

    def _consider(self, state: FolderState) -> None:
        if state.source == self._running.state.source:
            self._observer.in_effect(self._running.policies, self._refusal)
            self._refusal = None
        elif self._refusal is None or state.source != self._refusal.state.source:
            self._judge(state)

    def _judge(self, state: FolderState) -> None:
        from moderator.policy.analysis.diff import diff  # noqa: PLC0415 - only reloads need it; a fault in it refuses the edit

        try:
            accepted = self._admission.admit(state)
            difference = diff(self._running.policies, accepted.policies)
            self._swap(accepted.policies)
        except PolicyError as error:
            self._refuse(refusal_of(state, error))
        except Exception as error:  # noqa: BLE001 - whatever fault of ours this is, the running policies go on
            why = f"judging them raised `{type(error).__name__}`, a fault in moderator: please report it"
            self._refuse(refusal_of(state, PolicyError(why)))
        else:
            self._take_up(accepted, difference)

    def _refuse(self, refusal: Refusal) -> None:
        self._refusal = refusal
        self._observer.refused(refusal, self._running.policies)

    def _take_up(self, accepted: Accepted, difference: "PolicyDiff") -> None:
        before = self._running.policies
        self._running = accepted
        self._running_since_s = self._now_s()
        self._refusal = None
        self._is_stored = False
        self._observer.reloaded(before, accepted, difference)

    def _store_running(self) -> None:
        """Store what decides; where that fails, report it once and try again at every poll."""
        if self._store is None or self._is_stored:
            return
        try:
            self._store.keep(self._running.policies.snapshot, self._running.files)
        except OSError as error:
            if not self._has_reported_store:
                self._observer.not_stored(self._store.folder, reason_of(error))
            self._has_reported_store = True
        else:
            self._is_stored = True
            self._has_reported_store = False
            self._observer.stored()


def _folder_word(latest: FolderState | None, running: FolderState, *, is_refused: bool) -> FolderWord:
    if latest is not None and isinstance(latest.files, PolicyError):
        return "unreadable"
    if is_refused:
        return "refused"
    return "in force" if latest is None or latest.source == running.source else "pending"
