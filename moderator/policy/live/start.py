"""The policies that a process starts with: the folder's, or the last good ones where the folder's are refused.

The folder is read and tested once. What was chosen is then checked against the model and the topic as they become
known, and the last good policies are still taken where that check fails.
"""

from dataclasses import dataclass, replace

from moderator.errors import PolicyError
from moderator.policy.live.admission import Accepted, Admission
from moderator.policy.live.folder_watch import FolderState, read_folder
from moderator.policy.live.refusal import Refusal, refusal_of
from moderator.policy.live.snapshot_store import SnapshotStore


@dataclass(frozen=True, slots=True)
class Start:
    """What a process starts with.

    Attributes:
        store: where accepted policies are stored; None: nowhere.
        refusal: why it does not start with what the folder holds; None where it does.
    """

    accepted: Accepted
    store: SnapshotStore | None
    refusal: Refusal | None = None


def choose(state: FolderState, admission: Admission, store: SnapshotStore | None) -> Start:
    """Accept what the folder holds, or else the last good policies in the store.

    Raises:
        PolicyError: the folder's are refused, and the store has no others, or those are refused too.
    """
    try:
        return Start(admission.admit(state), store)
    except PolicyError as error:
        return _fall_back(state, error, admission, store)


def check_again(start: Start, admission: Admission) -> Start:
    """Check what was chosen against what became known since; if it was the folder's, the last good ones may follow.

    Raises:
        PolicyError: as `choose`.
    """
    try:
        return replace(start, accepted=admission.check(start.accepted))
    except PolicyError as error:
        if start.refusal is None:
            return _fall_back(start.accepted.state, error, admission, start.store)
        raise _both_refused(start.refusal.error, error) from error


def _fall_back(state: FolderState, error: PolicyError, admission: Admission, store: SnapshotStore | None) -> Start:
    snapshot = store.last_good() if store else None
    if store is None or snapshot is None:
        raise error
    folder = store.folder_of(snapshot)
    try:
        accepted = admission.admit(read_folder(folder))
    except PolicyError as second:
        raise _both_refused(str(error), second) from second
    if accepted.policies.snapshot != snapshot:
        raise PolicyError(
            f"{error}\nand the last good policies in `{folder}` are not what was kept there: damaged; "
            "fix the policy folder, and its policies are kept instead"
        )
    return Start(accepted, store, refusal_of(state, error))


def _both_refused(first: str, second: PolicyError) -> PolicyError:
    return PolicyError(f"{first}\nand so are the last good policies: {second}")
