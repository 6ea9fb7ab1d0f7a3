"""Whether a recorded decision comes out the same when its policies, or today's, decide it again."""

from typing import TYPE_CHECKING

from moderator.errors import PolicyError

if TYPE_CHECKING:
    from moderator.cli.policy.explaining.snapshots import Snapshots
    from moderator.events import Decision
    from moderator.policy import PolicySet


def difference_by_snapshot(decision: "Decision", policies: "PolicySet") -> str | None:
    """Say what comes out otherwise by the snapshot that decided; None where all is the same."""
    try:
        return _difference(decision, policies)
    except PolicyError:
        return "the snapshot does not suit the model that is recorded"


def note(decision: "Decision", snapshots: "Snapshots", differs: str | None, *, is_found: bool) -> str:
    """Say what a reader must know about the snapshot; nothing where it decides again as recorded."""
    if differs is not None:
        return f"differs: decided again by its snapshot, it comes out otherwise: {differs}"
    if is_found:
        return ""
    today = _by_today(decision, snapshots)
    return f"shown as recorded: its snapshot is {snapshots.places}, so it was not decided again; {today}"


def _by_today(decision: "Decision", snapshots: "Snapshots") -> str:
    today = snapshots.today()
    if isinstance(today, PolicyError):
        return "the policies there today cannot be used"
    try:
        differs = _difference(decision, today)
    except PolicyError:
        return "the policies there today do not suit the model that scored it"
    if differs is None:
        return "the policies there today decide it the same"
    return f"the policies there today differ: {differs}"


def _difference(decision: "Decision", policies: "PolicySet") -> str | None:
    """Decide a recorded decision again; give the first part that comes out otherwise, in words.

    Raises:
        PolicyError: the policies do not suit the model that scored.
    """
    from moderator.backtest.counting.fidelity import Fidelity
    from moderator.backtest.replay import ReplayedDecision, Replayer, replay_input_of

    given = replay_input_of(decision)
    judgement = Replayer(policies).judge(given)
    fidelity = Fidelity(decision["policy"]["snapshot"])
    fidelity.add(ReplayedDecision((0, 0), decision, given, judgement, judgement, label=None))
    return fidelity.unreproduced[0].what if fidelity.unreproduced else None
