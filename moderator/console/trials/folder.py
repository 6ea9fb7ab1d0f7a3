"""The policy folder that edits are tried on: read for every request, kept nowhere, never written."""

from collections.abc import Callable
from pathlib import Path

from moderator.errors import ModeratorError, PolicyError
from moderator.playground.checking import Checked, check
from moderator.playground.edits import NO_BASES, Bases, Edits, edited
from moderator.playground.patch import patch_of
from moderator.policy import Diagnostic, PolicySet
from moderator.policy.files.folder import Files, read_files, source_hash
from moderator.policy.files.uncounted import uncounted_names


class NotUsableError(ModeratorError):
    """The folder, or an edit of it, has errors.

    Attributes:
        is_edit: the errors come with the edit.
        problems: each error, by file and line.
    """

    def __init__(self, problems: tuple[Diagnostic, ...], *, is_edit: bool) -> None:
        what = "the edit" if is_edit else "the policy folder"
        super().__init__(f"{what} has errors: `/api/check` lists them")
        self.is_edit = is_edit
        self.problems = problems


class FolderAwayError(ModeratorError):
    """The folder itself cannot be read."""


class TriedFolder:
    """Reads one folder again and again; what it last held is not checked twice."""

    def __init__(self, folder: Path, now_ms: Callable[[], int]) -> None:
        self.path = folder
        self._now_ms = now_ms
        self._usable: tuple[str, PolicySet] | None = None

    def files(self) -> Files:
        """Give the files that are there now.

        Raises:
            FolderAwayError: the folder cannot be listed.
        """
        try:
            return read_files(self.path)
        except PolicyError as error:
            raise FolderAwayError(str(error)) from error

    def policies(self) -> PolicySet:
        """Give what is there now.

        Raises:
            NotUsableError: it has errors.
            FolderAwayError: the folder cannot be listed.
        """
        files = self.files()
        name = source_hash(files)
        known = self._usable
        if known is not None and known[0] == name:
            return known[1]
        policies = _usable(check(files, self.path, self._now_ms()), is_edit=False)
        self._usable = (name, policies)
        return policies

    def check(self, edits: Edits, bases: Bases = NO_BASES) -> Checked:
        """Check what would be there with some edits, and run its tests.

        Raises:
            EditError, OutdatedError: an edit cannot be made.
            FolderAwayError: the folder cannot be listed.
        """
        files = edited(self.files(), edits, bases)
        return check(files, self.path, self._now_ms(), uncounted_names(self.path))

    def edited(self, edits: Edits, bases: Bases = NO_BASES) -> PolicySet:
        """Give what would be there with some edits.

        Raises:
            EditError, OutdatedError: an edit cannot be made.
            NotUsableError: it has errors.
            FolderAwayError: the folder cannot be listed.
        """
        return self.policies() if not edits else _usable(self.check(edits, bases), is_edit=True)

    def patch(self, edits: Edits, bases: Bases = NO_BASES) -> bytes:
        """Give what some edits change, as a diff.

        Raises:
            EditError, OutdatedError: an edit cannot be made.
            FolderAwayError: the folder cannot be listed.
        """
        files = self.files()
        return patch_of(files, edited(files, edits, bases))


def _usable(checked: Checked, *, is_edit: bool) -> PolicySet:
    if checked.policies is None:
        problems = tuple(problem for problem in checked.problems if problem.level == "error")
        raise NotUsableError(problems, is_edit=is_edit)
    return checked.policies
