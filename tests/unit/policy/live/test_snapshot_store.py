"""Accepted policies on disk: complete, even where a process was killed or the disk fails."""

import errno
import os
import time
from pathlib import Path

import pytest

from moderator.errors import ConfigurationError
from moderator.policy.files.folder import read_files
from moderator.policy.live import snapshot_store
from moderator.policy.live.snapshot_store import SnapshotStore
from tests.unit.policy.folders import POLICY, a_set

FIRST, SECOND = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
FILES = {"settings.yaml": b"format: 1\n", "calibration/tiny.json": b"{}"}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_kept_is_there_under_its_snapshot_and_good_last(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "state")

    store.keep(FIRST, FILES)

    assert store.last_good() == FIRST
    assert store.folder_of(FIRST) == tmp_path / "state" / "snapshots" / ("1" * 64)
    assert contents(store.folder_of(FIRST)) == FILES


def test_every_snapshot_stays_and_the_last_one_is_good_last(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)

    for snapshot in (FIRST, SECOND, FIRST):
        store.keep(snapshot, FILES)

    assert store.last_good() == FIRST
    assert contents(store.folder_of(FIRST)) == contents(store.folder_of(SECOND)) == FILES
    assert sorted(path.name for path in tmp_path.rglob("*") if path.name.startswith(".")) == []


def test_a_note_that_is_being_read_does_not_change_in_the_readers_hands(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    store.keep(FIRST, FILES)

    with (tmp_path / "last_good").open() as being_read:
        store.keep(SECOND, FILES)
        read = being_read.read()

    assert (read, store.last_good()) == (f"{FIRST}\n", SECOND)


def test_two_processes_may_keep_one_snapshot_at_once(tmp_path: Path) -> None:
    one, two = SnapshotStore(tmp_path), SnapshotStore(tmp_path)

    one._store(one.folder_of(FIRST), FILES)
    two._store(two.folder_of(FIRST), FILES)

    assert contents(two.folder_of(FIRST)) == FILES
    assert len(list((tmp_path / "snapshots").iterdir())) == 1


@pytest.mark.parametrize("damage", ["removed", "edited", "unreadable"])
def test_what_was_damaged_is_not_given_out_and_kept_again(tmp_path: Path, damage: str) -> None:
    policies = a_set(tmp_path / "policies")
    files = read_files(tmp_path / "policies")
    store = SnapshotStore(tmp_path / "state")
    store.keep(policies.snapshot, files)
    policy = store.folder_of(policies.snapshot) / POLICY
    match damage:
        case "removed":
            policy.unlink()
        case "edited":
            policy.write_text(policy.read_text().replace("0.30", "0.20"))
        case _:
            policy.write_bytes(b"\xff")

    damaged = store.load(policies.snapshot)
    store.keep(policies.snapshot, files)
    restored = store.load(policies.snapshot)

    assert damaged is None
    assert restored is not None
    assert restored.snapshot == policies.snapshot
    assert len(list((tmp_path / "state" / "snapshots").iterdir())) == 1


def test_nothing_is_good_last_before_anything_was_kept(tmp_path: Path) -> None:
    assert SnapshotStore(tmp_path / "none").last_good() is None


@pytest.mark.parametrize("damaged", [b"", b"sha256:12", b"\xff\xfe", b"sha256:" + b"../" * 21 + b"x\n"])
def test_a_damaged_note_names_nothing_as_good_last(damaged: bytes, tmp_path: Path) -> None:
    (tmp_path / "last_good").write_bytes(damaged)

    assert SnapshotStore(tmp_path).last_good() is None


def test_a_write_that_fails_half_way_leaves_what_was_kept_before(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    store.keep(FIRST, FILES)
    blocked = {**FILES, "settings.yaml/nested.yaml": b"cannot be"}

    with pytest.raises(FileExistsError):
        store.keep(SECOND, blocked)

    assert store.last_good() == FIRST
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == ["1" * 64]


def test_a_damaged_snapshot_goes_only_once_another_is_there(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    store.keep(FIRST, FILES)
    damaged = contents(store.folder_of(FIRST))

    with pytest.raises(FileExistsError):
        store.keep(FIRST, {**FILES, "settings.yaml/nested.yaml": b"cannot be"})

    assert contents(store.folder_of(FIRST)) == damaged


def test_what_a_killed_process_left_half_written_is_removed_once_it_is_old(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    store.keep(FIRST, FILES)
    old, young = (tmp_path / "snapshots" / f".unfinished-{name}" for name in ("old", "young"))
    for folder in (old, young):
        folder.mkdir()
        (folder / "settings.yaml").write_bytes(b"form")
    old_note = tmp_path / ".unfinished-note"
    old_note.write_bytes(b"sha256:")
    for path in (old, old_note):
        os.utime(path, (0, time.time() - 7_200))

    store.keep(SECOND, FILES)

    assert (old.exists(), old_note.exists(), young.exists()) == (False, False, True)


def test_where_nothing_can_be_written_not_even_what_is_kept_already_counts_as_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot, files = a_set(tmp_path / "policies").snapshot, read_files(tmp_path / "policies")
    store = SnapshotStore(tmp_path / "state")
    for _ in range(2):
        store.keep(snapshot, files)
    there = sorted(path.name for path in store.folder.iterdir())
    refuse_writing(monkeypatch)

    with pytest.raises(OSError, match="Read-only"):
        store.keep(snapshot, files)
    assert there == ["last_good", "snapshots"]


def refuse_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand for a file system that is read-only: root may write anywhere else."""

    def refuse(path: Path, content: bytes) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(snapshot_store, "_write", refuse)


def test_a_state_folder_that_is_a_file_or_below_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for folder in (tmp_path / "file", tmp_path / "file" / "state"):
        with pytest.raises(ConfigurationError, match=_refusal(folder, "not a directory")):
            SnapshotStore(folder).check()
        with pytest.raises(ConfigurationError, match=_refusal(folder, "(not a directory|file exists)")):
            SnapshotStore(folder).create()


def test_a_state_folder_that_cannot_be_written_or_made_where_it_is_named_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_writing(monkeypatch)

    for folder in (tmp_path / "a" / "b", tmp_path):
        with pytest.raises(ConfigurationError, match=_refusal(folder, "read-only file system")):
            SnapshotStore(folder).check()


def _refusal(folder: Path, reason: str) -> str:
    hint = "name a folder in `MODERATOR_POLICIES__STATE_DIR`"
    return f"^the state folder `{folder}` cannot be used: {reason}; {hint}$"


def test_checking_a_state_folder_creates_nothing_and_creating_it_does(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "a" / "b")

    store.check()
    before = list(tmp_path.iterdir())
    store.create()
    store.create()

    assert before == []
    assert store.folder.is_dir()
