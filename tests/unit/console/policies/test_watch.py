"""The folder is followed, and never written."""

from pathlib import Path

from moderator.console.policies.watch import PolicyWatch
from moderator.objectives import ModelOutputs
from moderator.policy.live.snapshot_store import SnapshotStore
from tests.builders import POLICY_FILES, some_policies, write_files

SOUND = ModelOutputs("tiny", ("beavertails-is_safe",), "raw")


def _watch(folder: Path, state_dir: Path | None = None) -> PolicyWatch:
    watch = PolicyWatch(folder, state_dir, lambda: SOUND, lambda: 0)
    watch.read()
    return watch


def test_an_edit_is_taken_up_once_it_has_stopped_changing(tmp_path: Path) -> None:
    some_policies(tmp_path)
    watch = _watch(tmp_path)
    watch.poll()
    before = watch.report
    write_files(tmp_path, {"safety.yaml": POLICY_FILES["safety.yaml"].replace("0.30", "0.20")})

    watch.poll()
    changing = watch.report
    watch.poll()

    assert changing is before
    assert watch.report is not before


def test_an_unchanged_folder_is_not_judged_again(tmp_path: Path) -> None:
    some_policies(tmp_path)
    watch = _watch(tmp_path)
    before = watch.report

    watch.poll()
    watch.poll()

    assert watch.report is before


def test_policies_that_decided_earlier_are_found_where_replicas_keep_them(tmp_path: Path) -> None:
    old = some_policies(tmp_path / "policies")
    store = SnapshotStore(tmp_path / "state")
    store.create()
    store.keep(old.snapshot, {name: text.encode() for name, text in POLICY_FILES.items()})
    write_files(tmp_path / "policies", {"safety.yaml": POLICY_FILES["safety.yaml"].replace("0.30", "0.20")})

    watch = _watch(tmp_path / "policies", tmp_path / "state")

    found = watch.find(old.snapshot)
    assert found is not None
    assert found.snapshot == old.snapshot
    assert watch.find("sha256:" + "00" * 32) is None
    assert _watch(tmp_path / "policies").find(old.snapshot) is None
