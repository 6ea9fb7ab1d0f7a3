"""Policies taken up, refused and taken back while a stream runs, poll by poll."""

import json
import threading
from pathlib import Path
from typing import Any, get_args

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from moderator.errors import PolicyError
from moderator.events import Cause
from moderator.observability.health import HealthBoard, HealthSnapshot
from moderator.observability.metrics import Metrics
from moderator.pipeline.policy_observer import PolicyObserver
from moderator.policy import PolicySet
from moderator.policy.live.admission import Admission
from moderator.policy.live.folder_watch import POLL_EVERY_S, FolderWatch, read_folder
from moderator.policy.live.reloading import Reloading
from moderator.policy.live.snapshot_store import SnapshotStore
from moderator.policy.live.start import choose
from moderator.testing import ManualClock
from tests.builders import POLICY_FILES, a_model, write_files
from tests.unit.policy import folders
from tests.waiting import PATIENCE_S

MODES = ("live", "shadow")
SAFETY = POLICY_FILES["safety.yaml"]
TESTS = """
tests_for: safety
tests:
  - test: a low score is flagged
    given: {event: {speaker: user}, scores: {safety: 0.10}}
    expect: {verdict: flag, rules: {unsafe: matched}}
  - test: a high score is allowed
    given: {event: {speaker: user}, scores: {safety: 0.90}}
    expect: {verdict: allow, rules: {unsafe: not matched}}
"""


class Stage:
    """A policy folder that is followed, and everything a test may want to read."""

    def __init__(self, tmp_path: Path, admission: Admission | None = None, *, state_dir: Path | None = None) -> None:
        self.folder = tmp_path / "policies"
        if not self.folder.exists():
            write_files(self.folder, {**POLICY_FILES, "safety.test.yaml": TESTS})
        self.clock = ManualClock()
        self.metrics = Metrics(CollectorRegistry())
        self.board = HealthBoard(HealthSnapshot(0.0, 0.0))
        store = SnapshotStore(state_dir) if state_dir else None
        admission = admission or Admission(a_model())
        start = choose(read_folder(self.folder), admission, store)
        self.running = start.accepted.policies
        self.logs: list[Any] = []
        observer = PolicyObserver(self.metrics, self.board, self.clock.monotonic_s, "tiny")
        with capture_logs() as logs:
            observer.started(start)
        self.logs += logs
        self.reloading = Reloading(FolderWatch(self.folder), start, admission, swap=self.swap, observer=observer)

    def swap(self, policies: PolicySet) -> None:
        self.running = policies

    def poll(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(POLL_EVERY_S)
            with capture_logs() as logs:
                self.reloading.poll()
            self.logs += logs

    def metric(self, name: str, **labels: str) -> float | None:
        return self.value(f"moderator_policy_{name}", **labels)

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    def said(self, event: str) -> list[Any]:
        return [line for line in self.logs if line["event"] == event]

    def limit(self) -> str:
        """What the live rule says."""
        return next(rule.conditions[0].phrase for rule in self.running.rules if rule.id == "safety/unsafe")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def edit(stage: Stage, text: str = SAFETY.replace("0.30", "0.35")) -> None:
    (stage.folder / "safety.yaml").write_text(text)


def test_an_edit_decides_from_the_second_poll_that_finds_it(stage: Stage) -> None:
    stage.poll(3)
    before = stage.running.snapshot
    edit(stage)

    stage.poll()
    found_once = stage.limit()
    stage.poll()

    assert (found_once, stage.limit()) == ("below 0.30", "below 0.35")
    assert stage.metric("snapshot_info", snapshot=stage.running.snapshot) == 1
    assert stage.metric("snapshot_info", snapshot=before) is None
    assert stage.said("policies_reloaded") == [
        {
            "event": "policies_reloaded",
            "log_level": "info",
            "before": before,
            "snapshot": stage.running.snapshot,
            "changes": ["changed safety/unsafe: safety below 0.30 -> below 0.35, can only flag more"],
            "claim": "can only flag more",
        }
    ]


def test_a_reload_names_the_rules_that_went_and_came(stage: Stage) -> None:
    edit(stage, SAFETY.partition("  - rule: doubtful")[0])
    stage.poll(2)
    edit(stage, SAFETY)
    stage.poll(2)

    changes = [change for line in stage.said("policies_reloaded") for change in line["changes"]]
    assert [change.partition(":")[0] for change in changes] == ["removed safety/doubtful", "added safety/doubtful"]


def test_a_comment_is_taken_up_without_a_change_in_meaning(stage: Stage) -> None:
    before = stage.running.snapshot
    edit(stage, f"# why\n{SAFETY}")

    stage.poll(2)

    (line,) = stage.said("policies_reloaded")
    assert stage.running.snapshot == before
    assert (line["changes"], line["claim"]) == ([], "flags the same")
    assert stage.metric("snapshot_info", snapshot=before) == 1


def test_what_rules_count_is_shown_with_0_from_when_they_decide(stage: Stage) -> None:
    (stage.folder / "safety.test.yaml").unlink()
    edit(stage, SAFETY.replace("    mode: live\n", "    mode: live\n    rollout: 25% of users\n"))
    stage.poll(2)

    matches = [stage.value("moderator_rule_matches_total", rule="safety/unsafe", mode=mode) for mode in MODES]
    missing = [stage.value("moderator_scores_missing_total", signal="safety", cause=cause) for cause in get_args(Cause)]

    assert matches == [0, 0]
    assert missing == [0, 0, 0, 0]


def test_budgets_are_shown_for_alerts_and_follow_the_policies(stage: Stage) -> None:
    def shown() -> float | None:
        return stage.metrics.registry.get_sample_value("moderator_rule_budget_ratio", {"rule": "safety/unsafe"})

    with_budget = SAFETY.replace("    mode: live\n", "    mode: live\n    budget: {flag_share: at most 1.5%}\n")
    values = [shown()]
    for text in (with_budget, SAFETY):
        edit(stage, text)
        stage.poll(2)
        values.append(shown())

    assert values == [None, 0.015, None]


def test_what_was_refused_is_judged_once_and_said_once(stage: Stage) -> None:
    edit(stage, "policy: [")

    stage.poll(10)

    assert len(stage.said("policies_refused")) == 1


def test_a_failing_test_refuses_a_reload_and_is_named(stage: Stage) -> None:
    edit(stage, SAFETY.replace("0.30", "0.05"))

    stage.poll(2)

    (line,) = stage.said("policies_refused")
    assert "P075" in line["error"]
    assert '"a low score is flagged" fails' in line["error"]
    assert "verdict: expected flag, got allow" in line["error"]
    assert stage.limit() == "below 0.30"


def test_a_refusal_is_counted_against_the_policy_in_which_it_lies_until_it_is_taken_back(stage: Stage) -> None:
    before = stage.metric("refused", policy="safety")
    (stage.folder / "spam.yaml").write_text("policy: spam\nowner: spam@example.com\nrules: [")
    stage.poll(3)

    refused = [stage.metric("refused", policy=name) for name in ("safety", "spam")]
    (stage.folder / "spam.yaml").unlink()
    stage.poll(2)

    assert (before, refused) == (0, [0, 1])
    assert [stage.metric("refused", policy=name) for name in ("safety", "spam")] == [0, None]
    (line,) = stage.said("policies_refused")
    assert (line["policies"], line["owners"]) == (["spam"], ["spam@example.com"])


def test_a_live_rule_without_tests_is_taken_up_with_a_warning(stage: Stage) -> None:
    edit(stage, SAFETY.replace("mode: shadow", "mode: live"))

    stage.poll(2)

    assert len(stage.said("policies_reloaded")) == 1
    assert any("warning P074" in line["warning"] for line in stage.said("policy_warning"))


def test_taking_a_refused_edit_back_is_fresh_again_without_a_reload(stage: Stage) -> None:
    edit(stage, "policy: [")
    stage.poll(5)
    edit(stage, SAFETY)

    stage.poll(2)

    assert stage.metric("reload_ok") == 1
    assert stage.metric("stale_seconds") == 0
    assert len(stage.said("policies_taken_back")) == 1
    assert stage.said("policies_reloaded") == []


def test_a_fault_of_ours_while_judging_is_a_refusal(stage: Stage) -> None:
    def fall_over(_: PolicySet) -> None:
        raise RecursionError

    stage.reloading._swap = fall_over
    edit(stage)

    stage.poll(3)

    (line,) = stage.said("policies_refused")
    assert "`RecursionError`" in line["error"]
    assert stage.metric("reload_ok") == 0


def test_policies_that_need_an_objective_which_the_model_lacks_are_refused(stage: Stage) -> None:
    signals = POLICY_FILES["signals.yaml"].replace("beavertails-is_safe", "helpsteer-verbosity")
    (stage.folder / "signals.yaml").write_text(signals)

    stage.poll(2)

    (line,) = stage.said("policies_refused")
    assert "P060" in line["error"]


def test_a_broken_save_and_an_emptied_folder_leave_the_last_good_policies(stage: Stage) -> None:
    stage.poll(2)
    before = stage.running

    edit(stage, "policy: [")
    stage.poll(5)
    broken = (stage.running, stage.metric("reload_ok"), stage.metric("stale_seconds"))
    for file in stage.folder.iterdir():
        file.unlink()
    stage.poll(5)
    emptied = (stage.running, stage.metric("reload_ok"), stage.metric("stale_seconds"))

    assert broken == (before, 0, 5 * POLL_EVERY_S)
    assert emptied == (before, 0, 10 * POLL_EVERY_S)
    assert ["P004" in line["error"] for line in stage.said("policies_refused")] == [True, False]
    assert "the folder is empty" in stage.said("policies_refused")[1]["error"]


@pytest.mark.parametrize("polls_between", [0, 1])
def test_two_files_changed_a_second_apart_are_never_a_mixed_snapshot(stage: Stage, polls_between: int) -> None:
    stage.poll(2)
    edit(stage)
    stage.poll(polls_between)
    settings = POLICY_FILES["settings.yaml"].replace("if_unscored: flag", "if_unscored: allow")
    (stage.folder / "settings.yaml").write_text(settings)

    stage.poll(2)

    (line,) = stage.said("policies_reloaded")
    assert [change.partition(":")[0] for change in line["changes"]] == ["changed settings", "changed safety/unsafe"]


def test_a_link_swapped_as_in_a_config_map_is_followed_within_three_polls(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    write_files(folder / "..2026_11_23", POLICY_FILES)
    write_files(folder / "..2026_11_24", {**POLICY_FILES, "safety.yaml": SAFETY.replace("0.30", "0.35")})
    (folder / "..data").symlink_to("..2026_11_23")
    for name in POLICY_FILES:
        (folder / name).symlink_to(Path("..data") / name)
    stage = Stage(tmp_path)
    stage.poll(2)
    before = stage.limit()

    (folder / "..data_tmp").symlink_to("..2026_11_24")
    (folder / "..data_tmp").replace(folder / "..data")
    stage.poll(3)

    assert (before, stage.limit()) == ("below 0.30", "below 0.35")
    assert len(stage.said("policies_reloaded")) == 1


def test_a_folder_that_is_itself_a_link_is_followed(tmp_path: Path) -> None:
    write_files(tmp_path / "release-1", POLICY_FILES)
    write_files(tmp_path / "release-2", {**POLICY_FILES, "safety.yaml": SAFETY.replace("0.30", "0.35")})
    (tmp_path / "policies").symlink_to("release-1")
    stage = Stage(tmp_path)

    (tmp_path / "next").symlink_to("release-2")
    (tmp_path / "next").replace(tmp_path / "policies")
    stage.poll(3)

    assert stage.limit() == "below 0.35"


def test_an_editor_that_saves_by_renaming_is_followed_within_three_polls(stage: Stage) -> None:
    stage.poll(2)
    file = stage.folder / "safety.yaml"
    file.rename(stage.folder / "safety.yaml~")
    stage.poll()
    (stage.folder / ".safety.yaml.swp").write_text(SAFETY.replace("0.30", "0.35"))
    (stage.folder / ".safety.yaml.swp").rename(file)

    stage.poll(3)

    assert stage.limit() == "below 0.35"
    assert stage.said("policies_refused") == []


def test_a_calibration_of_another_model_is_refused_with_both_fingerprints(tmp_path: Path) -> None:
    model = folders.a_model()
    percent = folders.a_policy(folders.a_rule("honesty: in the lowest 2%"))
    folders.a_folder(tmp_path / "policies", percent)
    stage = Stage(tmp_path, Admission(model))
    before = stage.running
    other = {"name": model.name, "fingerprint": "sha256:bbbb", "dtype": model.dtype}
    folders.a_folder(tmp_path / "policies", percent, calibration=json.dumps(folders.a_calibration(model=other)))

    stage.poll(2)

    (line,) = stage.said("policies_refused")
    assert "sha256:aaaa" in line["error"]
    assert "sha256:bbbb" in line["error"]
    assert stage.running is before
    assert stage.metric("reload_ok") == 0


def test_schedules_are_refused_where_producers_choose_the_time(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Admission(a_model(), has_brokers_time=False))
    edit(stage, SAFETY.replace("    mode: live\n", "    mode: live\n    until: 2030-01-01\n"))

    stage.poll(2)

    (line,) = stage.said("policies_refused")
    assert "message.timestamp.type=LogAppendTime" in line["error"]
    with pytest.raises(PolicyError, match="`starts`, `until`"):
        Stage(tmp_path, Admission(a_model(), has_brokers_time=False))


def test_a_folder_removed_and_put_back_is_refused_and_then_fresh_again(stage: Stage) -> None:
    aside = stage.folder.rename(stage.folder.with_name("aside"))
    stage.poll(2)
    missing = stage.metric("reload_ok")
    aside.rename(stage.folder)
    stage.poll(2)

    assert missing == 0
    assert "cannot read the policy folder" in stage.said("policies_refused")[0]["error"]
    assert stage.metric("reload_ok") == 1


def test_a_file_that_may_not_be_read_refuses_the_folder(stage: Stage) -> None:
    (stage.folder / "safety.yaml").unlink()
    (stage.folder / "safety.yaml").symlink_to(stage.folder / "safety.yaml")

    stage.poll(2)

    (line,) = stage.said("policies_refused")
    assert "safety.yaml cannot be read" in line["error"]
    assert stage.limit() == "below 0.30"


def test_accepted_policies_are_kept_and_a_later_start_on_broken_ones_falls_back_to_them(tmp_path: Path) -> None:
    first = Stage(tmp_path, state_dir=tmp_path / "state")
    edit(first)
    first.poll(2)
    edit(first, "policy: [")

    second = Stage(tmp_path, state_dir=tmp_path / "state")

    assert second.limit() == "below 0.35"
    assert second.metric("reload_ok") == 0
    assert second.said("started_on_last_good_policies")[0]["snapshot"] == first.running.snapshot
    assert len(second.said("policies_refused")) == 1


def test_started_on_the_last_good_policies_it_takes_up_the_folder_once_it_is_fixed(tmp_path: Path) -> None:
    Stage(tmp_path, state_dir=tmp_path / "state").poll(2)
    folder = tmp_path / "policies"
    (folder / "safety.yaml").write_text("policy: [")
    stage = Stage(tmp_path, state_dir=tmp_path / "state")
    stage.poll(5)
    stale_s = stage.metric("stale_seconds")
    edit(stage)

    stage.poll(2)

    assert stale_s == 5 * POLL_EVERY_S
    assert stage.limit() == "below 0.35"
    assert stage.metric("reload_ok") == 1
    assert SnapshotStore(tmp_path / "state").last_good() == stage.running.snapshot


def test_without_policies_kept_a_start_on_broken_ones_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path / "policies", {**POLICY_FILES, "safety.yaml": "policy: ["})

    with pytest.raises(PolicyError, match="P004"):
        Stage(tmp_path)
    with pytest.raises(PolicyError, match="P004"):
        Stage(tmp_path, state_dir=tmp_path / "state")


def test_a_start_for_which_the_last_good_policies_are_refused_too_says_both(tmp_path: Path) -> None:
    Stage(tmp_path, state_dir=tmp_path / "state").poll(2)
    (tmp_path / "policies" / "safety.yaml").write_text("policy: [")
    other_model = Admission(a_model(("helpsteer-helpfulness",)))

    with pytest.raises(PolicyError, match=r"(?s)P004.*last good policies: .*P060"):
        Stage(tmp_path, other_model, state_dir=tmp_path / "state")


def test_a_start_does_not_take_what_is_no_longer_what_was_kept_for_the_last_good_policies(tmp_path: Path) -> None:
    Stage(tmp_path, state_dir=tmp_path / "state").poll(2)
    (kept,) = (tmp_path / "state" / "snapshots").iterdir()
    edited = kept / "safety.yaml"
    edited.write_text(edited.read_text().replace("0.30", "0.31"))
    (tmp_path / "policies" / "safety.yaml").write_text("policy: [")

    with pytest.raises(PolicyError, match=r"(?s)P004.*are not what was kept there: damaged; fix the policy folder"):
        Stage(tmp_path, state_dir=tmp_path / "state")


def test_a_state_folder_that_cannot_be_written_is_warned_of_once_and_tried_again(tmp_path: Path) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("a file where a folder should be")
    stage = Stage(tmp_path, state_dir=blocked)

    stage.poll(5)
    warnings, is_ok = len(stage.said("policies_not_kept")), stage.value("moderator_state_dir_ok")
    blocked.unlink()
    stage.poll()

    assert (warnings, is_ok) == (1, 0)
    assert stage.value("moderator_state_dir_ok") == 1
    assert Stage(tmp_path).value("moderator_state_dir_ok") is None  # there is none
    assert SnapshotStore(blocked).last_good() == stage.running.snapshot


def test_replicas_that_share_a_state_folder_do_not_fight_over_what_was_good_last(tmp_path: Path) -> None:
    old = Stage(tmp_path, state_dir=tmp_path / "state")
    old.poll(2)
    new = Stage(tmp_path, state_dir=tmp_path / "state")
    edit(new)
    new.poll(2)

    old.poll()  # has not seen the edit twice yet

    assert SnapshotStore(tmp_path / "state").last_good() == new.running.snapshot


def test_one_that_started_on_the_last_good_policies_does_not_fight_over_what_is_good_last(tmp_path: Path) -> None:
    Stage(tmp_path, state_dir=tmp_path / "state").poll(2)
    (tmp_path / "policies" / "safety.yaml").write_text("policy: [")
    fallen_back = Stage(tmp_path, state_dir=tmp_path / "state")
    edit(fallen_back)
    new = Stage(tmp_path, state_dir=tmp_path / "state")
    new.poll(2)

    fallen_back.poll()  # has not seen the edit twice yet

    assert fallen_back.limit() == "below 0.30"
    assert SnapshotStore(tmp_path / "state").last_good() == new.running.snapshot


def test_a_folder_that_hangs_shows_as_stale_and_following_it_ends_when_asked(stage: Stage) -> None:
    is_hanging, goes_on, stop = threading.Event(), threading.Event(), threading.Event()

    class HangingWatch(FolderWatch):
        def poll(self) -> None:
            is_hanging.set()
            goes_on.wait()

    stage.reloading._watch = HangingWatch(stage.folder)
    thread = threading.Thread(target=stage.reloading.follow, args=(stop,), daemon=True)
    thread.start()
    assert is_hanging.wait(PATIENCE_S)
    stage.clock.advance(60)
    stale_s = stage.metric("stale_seconds")
    stop.set()
    goes_on.set()
    thread.join(PATIENCE_S)

    assert stale_s == 60
    assert not thread.is_alive()


def test_an_edited_list_is_taken_up_and_kept_and_a_wrong_one_refused(tmp_path: Path) -> None:
    signals = POLICY_FILES["signals.yaml"] + "  scams: {about: Scams, from_text: {words: lists/scam.txt}}\n"
    write_files(tmp_path / "policies", {**POLICY_FILES, "signals.yaml": signals, "lists/scam.txt": "scam\n"})
    stage = Stage(tmp_path, state_dir=tmp_path / "state")
    first, store = stage.running, SnapshotStore(tmp_path / "state")

    (stage.folder / "lists/scam.txt").write_text("scam\nfraud\n")
    stage.poll(3)
    edited = stage.running
    (stage.folder / "lists/scam.txt").write_bytes("fraud\n".encode("utf-16"))
    stage.poll(3)

    assert edited.snapshot != first.snapshot
    assert stage.running is edited
    assert stage.metric("reload_ok") == 0
    kept = store.load(edited.snapshot)
    assert kept is not None
    assert kept.text_signals is not None
