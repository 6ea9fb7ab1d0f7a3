"""The policies of a start: read and tested once, then checked as the model and the topic become known."""

from pathlib import Path

import pytest

from moderator.errors import PolicyError
from moderator.policy.live.admission import Admission
from moderator.policy.live.folder_watch import read_folder
from moderator.policy.live.snapshot_store import SnapshotStore
from moderator.policy.live.start import Start, check_again, choose
from tests.builders import POLICY_FILES, a_model, write_files

SAFETY = POLICY_FILES["safety.yaml"]
SCHEDULED = SAFETY.replace("    mode: live\n", "    mode: live\n    until: 2030-01-01\n")
LACKING = POLICY_FILES["signals.yaml"].replace("beavertails-is_safe", "helpsteer-verbosity")
UNUSED = "  verbosity: {about: Its length, from: helpsteer-verbosity, scale: {low: 0, high: 4}, good: low}\n"

NOTHING_KNOWN = Admission()
MODEL_KNOWN = Admission(a_model())
TOPIC_KNOWN = Admission(a_model(), has_brokers_time=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "policies", POLICY_FILES)


@pytest.fixture
def store(folder: Path, tmp_path: Path) -> SnapshotStore:
    """Holds what the folder held first."""
    accepted = NOTHING_KNOWN.admit(read_folder(folder))
    store = SnapshotStore(tmp_path / "state")
    store.keep(accepted.policies.snapshot, accepted.files)
    return store


def started(folder: Path, *admissions: Admission, store: SnapshotStore | None = None) -> Start:
    """What a process starts with that comes to know more, step by step."""
    start = choose(read_folder(folder), NOTHING_KNOWN, store)
    for admission in admissions:
        start = check_again(start, admission)
    return start


def test_the_folder_is_not_read_again_when_more_becomes_known(folder: Path) -> None:
    start = choose(read_folder(folder), NOTHING_KNOWN, None)
    (folder / "safety.yaml").write_text("policy: [")

    checked = check_again(check_again(start, MODEL_KNOWN), TOPIC_KNOWN)

    assert checked.accepted.policies is start.accepted.policies
    assert checked.refusal is None


def test_what_is_odd_with_the_model_is_a_warning_once(folder: Path) -> None:
    (folder / "signals.yaml").write_text(POLICY_FILES["signals.yaml"] + UNUSED)

    before = started(folder).accepted.warnings
    after = started(folder, MODEL_KNOWN, MODEL_KNOWN).accepted.warnings

    assert [warning.code for warning in after] == [*(warning.code for warning in before), "P061"]


@pytest.mark.parametrize(
    ("file", "text", "admissions", "error"),
    [
        ("safety.yaml", "policy: [", [], "P004"),
        ("signals.yaml", LACKING, [MODEL_KNOWN], "P060"),
        ("safety.yaml", SCHEDULED, [MODEL_KNOWN, TOPIC_KNOWN], "LogAppendTime"),
    ],
    ids=["itself", "model", "topic"],
)
def test_policies_are_refused_as_soon_as_it_shows_and_the_last_good_ones_follow(
    file: str, text: str, admissions: list[Admission], error: str, *, folder: Path, store: SnapshotStore
) -> None:
    (folder / file).write_text(text)
    if admissions:
        started(folder, *admissions[:-1])

    with pytest.raises(PolicyError, match=error):
        started(folder, *admissions)
    fallen_back = started(folder, *admissions, store=store)

    assert fallen_back.accepted.policies.snapshot == store.last_good()
    assert fallen_back.refusal is not None
    assert error in fallen_back.refusal.error
    assert fallen_back.refusal.state == read_folder(folder)


def test_last_good_policies_that_do_not_suit_the_model_end_the_start_with_both_reasons(
    folder: Path, store: SnapshotStore
) -> None:
    other_model = Admission(a_model(("helpsteer-helpfulness",)))
    (folder / "safety.yaml").write_text("policy: [")

    start = started(folder, store=store)
    with pytest.raises(PolicyError, match=r"(?s)P004.*last good policies: .*P060"):
        check_again(start, other_model)


def test_last_good_policies_taken_for_the_models_sake_must_suit_the_topic_too(folder: Path, tmp_path: Path) -> None:
    (folder / "safety.yaml").write_text(SCHEDULED)
    scheduled = NOTHING_KNOWN.admit(read_folder(folder))
    store = SnapshotStore(tmp_path / "state")
    store.keep(scheduled.policies.snapshot, scheduled.files)
    (folder / "signals.yaml").write_text(LACKING)

    start = started(folder, MODEL_KNOWN, store=store)
    with pytest.raises(PolicyError, match=r"(?s)P060.*last good policies: .*LogAppendTime"):
        check_again(start, TOPIC_KNOWN)
