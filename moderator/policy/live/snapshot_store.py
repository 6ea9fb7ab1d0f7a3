"""Accepted policies kept on disk: one folder per snapshot, and which of them were accepted last.

    STATE_DIR/
    ├── last_good               the snapshot accepted last, such as `sha256:4c91…`
    └── snapshots/<64 hex>/     the folder's files as they were accepted

Several processes may share the folder: what is there is complete, whenever one of them was killed.
"""

import contextlib
import errno
import os
import re
import shutil
import time
import uuid
from pathlib import Path

from moderator.errors import ConfigurationError, PolicyError, reason_of
from moderator.policy.files.folder import Files
from moderator.policy.loader import load_policies
from moderator.policy.policy_set import PolicySet

_SNAPSHOT = re.compile(r"sha256:[0-9a-f]{64}")
_UNFINISHED = ".unfinished-"
_ABANDONED_S = 3_600.0
"""No write takes so long: the process that started it was killed."""


class SnapshotStore:
    """The state folder of one deployment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self) -> None:
        """Create the folder, if it is missing.

        Raises:
            ConfigurationError: it is a file, or cannot be created.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(self.folder, error) from error

    def check(self) -> None:
        """Check that the folder can be written, or made where it is missing; what is written for that is taken away.

        Raises:
            ConfigurationError: it cannot.
        """
        nearest = next(
            folder for folder in (self.folder.absolute(), *self.folder.absolute().parents) if folder.exists()
        )
        if not nearest.is_dir():
            raise _unusable(self.folder, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
        try:
            _try_writing(nearest)
        except OSError as error:
            raise _unusable(self.folder, error) from error

    def folder_of(self, snapshot: str) -> Path:
        """Where the policies of a snapshot (`sha256:` and 64 hex digits) are, if they were kept."""
        return self.folder / "snapshots" / snapshot.removeprefix("sha256:")

    def load(self, snapshot: str) -> PolicySet | None:
        """Give the policies of a snapshot; None when they are not there, are damaged, or cannot be used any more."""
        folder = self.folder_of(snapshot)
        if not folder.is_dir():
            return None
        try:
            policies = load_policies(folder)
        except PolicyError:  # a later version may refuse what an earlier one accepted
            return None
        return policies if policies.snapshot == snapshot else None

    def keep(self, snapshot: str, files: Files) -> None:
        """Keep the files under their snapshot, unless they are there undamaged, and note that they were accepted last.

        Args:
            snapshot: `sha256:` and 64 hex digits.
            files: the policy folder's files by name; those that could not be read had no effect and are left out.

        Raises:
            OSError: the disk is full or cannot be written; what was kept before still is.
        """
        folder = self.folder_of(snapshot)
        is_damaged = folder.is_dir() and self.load(snapshot) is None
        if is_damaged or not folder.is_dir():
            self._store(folder, files, is_damaged=is_damaged)
        if self.last_good() != snapshot:
            self._point_at(snapshot)
        else:  # nothing else would show that the next snapshot cannot be kept
            _try_writing(self.folder)

    def last_good(self) -> str | None:
        """Give the snapshot that was accepted last; None when none was, or the note cannot be read."""
        try:
            text = (self.folder / "last_good").read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return text if _SNAPSHOT.fullmatch(text) else None

    def _store(self, target: Path, files: Files, *, is_damaged: bool = False) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        _sweep(self.folder)
        unfinished = _unfinished_name(target)
        try:
            for name, content in files.items():
                if isinstance(content, bytes):
                    _write(unfinished / name, content)
            if is_damaged:
                _remove(target)
            with contextlib.suppress(FileExistsError):  # another process was faster
                _move_folder(unfinished, target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _point_at(self, snapshot: str) -> None:
        target = self.folder / "last_good"
        unfinished = _unfinished_name(target)
        try:
            _write(unfinished, f"{snapshot}\n".encode())
            unfinished.replace(target)
            _sync_folder(target.parent)
        finally:
            unfinished.unlink(missing_ok=True)


def _unusable(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"the state folder `{folder}` cannot be used: {reason_of(error)}; "
        "name a folder in `MODERATOR_POLICIES__STATE_DIR`"
    )


def _unfinished_name(target: Path) -> Path:
    """Give a new name in the same folder, so that moving it to `target` is one step."""
    return target.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _try_writing(folder: Path) -> None:
    """Write a file into a folder, and take it away.

    Raises:
        OSError: it cannot be written.
    """
    tried = _unfinished_name(folder / "tried")
    _write(tried, b"-")
    tried.unlink()


def _move_folder(source: Path, target: Path) -> None:
    """Move a folder to a place where there is none.

    Raises:
        FileExistsError: there is one.
    """
    for folder in (source, *(path for path in source.rglob("*") if path.is_dir())):
        _sync_folder(folder)
    try:
        source.rename(target)
    except OSError as error:  # Linux says that it is not empty
        if target.is_dir():
            raise FileExistsError(error.errno, error.strerror) from error
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Let the names in a folder survive a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _remove(folder: Path) -> None:
    """Remove a folder in one step, as others see it."""
    aside = _unfinished_name(folder)
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what a killed process left half-written."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
