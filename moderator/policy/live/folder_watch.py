"""What a policy folder holds, and whether it has stopped changing."""

from dataclasses import dataclass
from pathlib import Path

from moderator.errors import PolicyError
from moderator.policy.files.folder import Files, read_files, source_hash
from moderator.policy.files.uncounted import uncounted_names

POLL_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class FolderState:
    """What a folder held when it was read.

    Attributes:
        folder: what messages call it.
        source: a hash; equal for equal names and bytes, or for one reason why the folder cannot be read.
        files: an error where the folder cannot be read.
        uncounted: names of files in it that do not count; they change neither the hash nor a decision.
    """

    folder: Path
    source: str
    files: Files | PolicyError
    uncounted: tuple[str, ...] = ()


def read_folder(folder: Path) -> FolderState:
    """Read a folder as it is now; never fails."""
    try:
        files = read_files(folder)
    except PolicyError as error:
        return FolderState(folder, f"unreadable: {error}", error)
    return FolderState(folder, source_hash(files), files, uncounted_names(folder))


class FolderWatch:
    """Reads one folder again and again.

    Attributes:
        latest: what it held at the last poll; None before the first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.latest: FolderState | None = None

    def poll(self) -> FolderState | None:
        """Give what the folder holds if it held the same at the poll before; None while it changes.

        Files are written one after the other: a folder that is only half-written must not be applied.
        """
        state = read_folder(self._folder)
        is_stable = self.latest is not None and state.source == self.latest.source
        self.latest = state
        return state if is_stable else None
