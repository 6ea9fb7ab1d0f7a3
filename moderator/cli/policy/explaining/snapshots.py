"""The policies that made a recorded decision: kept by snapshot in STATE_DIR, else in the policy folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from moderator.errors import PolicyError

if TYPE_CHECKING:
    from moderator.policy import PolicySet


class Snapshots:
    """Finds policies by their snapshot; each is read once.

    Args:
        state_dir: where `run` keeps the policies it accepted; None: nowhere.
        folder: the policies of today.
    """

    def __init__(self, state_dir: Path | None, folder: Path) -> None:
        self._state_dir = state_dir
        self._folder = folder
        self._found: dict[str, PolicySet | None] = {}
        self._today: PolicySet | PolicyError | None = None

    @property
    def places(self) -> str:
        """Where a snapshot was searched for, in words."""
        kept = f"`{self._state_dir}` nor in " if self._state_dir else ""
        return f"{'neither in ' if kept else 'not in '}{kept}`{self._folder}`"

    def find(self, snapshot: str) -> "PolicySet | None":
        """Give the policies of a snapshot (`sha256:` and 64 hex digits); None when they are not found."""
        if snapshot not in self._found:
            self._found[snapshot] = self._kept(snapshot) or self._if_today(snapshot)
        return self._found[snapshot]

    def today(self) -> "PolicySet | PolicyError":
        """Give the policies in the folder, or why they cannot be used."""
        from moderator.policy import load_policies

        if self._today is None:
            try:
                self._today = load_policies(self._folder)
            except PolicyError as error:
                self._today = error
        return self._today

    def _kept(self, snapshot: str) -> "PolicySet | None":
        from moderator.policy.live.snapshot_store import SnapshotStore

        return SnapshotStore(self._state_dir).load(snapshot) if self._state_dir else None

    def _if_today(self, snapshot: str) -> "PolicySet | None":
        today = self.today()
        return None if isinstance(today, PolicyError) or today.snapshot != snapshot else today
