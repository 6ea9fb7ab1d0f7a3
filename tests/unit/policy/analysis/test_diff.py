import json
from dataclasses import replace
from pathlib import Path

import pytest

from moderator.policy import PolicySet, load_policies
from moderator.policy.analysis.diff import Change, Claim, PolicyDiff, diff
from moderator.policy.analysis.diff_text import change_lines
from tests.unit.policy.folders import (
    CHAT_SAFETY,
    EXEMPTIONS,
    HIGH,
    OBJECTIVES,
    SETTINGS,
    SIGNALS,
    a_calibration,
    a_folder,
    a_policy,
    a_rule,
    a_set,
)

MORE: Claim = "can only flag more"
LESS: Claim = "can only flag less"
SAME: Claim = "flags the same"


def between(folder: Path, old: str, new: str, exemptions: str | None = None, **new_files: str) -> PolicyDiff:
    before = a_set(folder / "old", old, exemptions=EXEMPTIONS if exemptions else None)
    return diff(before, a_set(folder / "new", new, exemptions=exemptions, **new_files))


def changed(folder: Path, *replaced: tuple[str, str]) -> PolicyDiff:
    """The difference between the language's example and the same with some text replaced."""
    new, exemptions = CHAT_SAFETY, EXEMPTIONS
    for old_text, new_text in replaced:
        assert old_text in new + exemptions
        new, exemptions = new.replace(old_text, new_text), exemptions.replace(old_text, new_text)
    return between(folder, CHAT_SAFETY, new, exemptions=exemptions)


def only(difference: PolicyDiff) -> Change:
    (change,) = difference.changes
    return change


def test_what_is_written_otherwise_and_means_the_same_is_no_difference(tmp_path: Path) -> None:
    found = changed(
        tmp_path,
        ("about: The reply is probably unsafe.", "about: Something else. # with a comment"),
        ("role: [moderator, staff]", "role: [staff, moderator]"),
        ("channel: [general, help]", 'channel: ["help", general]'),
        ("safety: below 0.55", "safety: below 0.550"),
        ("correctness: at least 3.0", "correctness: at least 3"),
        ("lowest 2%", "lowest 2.0%"),
        ("      safety: below 0.40", "      all: [{safety: below 0.4}]"),
    )

    assert found == PolicyDiff((), SAME)


@pytest.mark.parametrize(
    ("old", "new", "line", "claim"),
    [
        ("below 0.30", "below 0.35", "safety below 0.30 -> below 0.35", MORE),
        ("below 0.30", "below 0.25", "safety below 0.30 -> below 0.25", LESS),
        ("below 0.30", "at most 0.299999", "safety below 0.30 -> at most 0.299999", SAME),
        ("below 0.30", "at least 0.30", "safety below 0.30 -> at least 0.30", None),
        ("at least 3.0", "above 3.0", "unless correctness at least 3.0 -> above 3.0", MORE),
        ("lowest 2%", "lowest 3%", "honesty in the lowest 2% -> in the lowest 3%", MORE),
        ("25% of users", "40% of users", "rollout 25% of users -> 40% of users", MORE),
        ("25% of users", "25% of tenants", "rollout 25% of users -> 25% of tenants", None),
        ("starts: 2026-10-01", "starts: 2026-11-01", "starts 2026-10-01 -> 2026-11-01", LESS),
        ("    until: 2027-01-01\n", "", "until 2027-01-01 -> none", MORE),
        (
            "[general, help]",
            "[general]",
            (
                "applies_to channel general or help, locale en or en-*, speaker assistant -> "
                "channel general, locale en or en-*, speaker assistant"
            ),
            LESS,
        ),
        (
            "role: [moderator, staff]",
            r'role: "a\nb"',
            "except role moderator or staff; or channel help, tenant acme -> role a\\nb; or channel help, tenant acme",
            None,
        ),
        (
            "role: [moderator, staff]",
            "role: [staff]",
            "except role moderator or staff; or channel help, tenant acme -> role staff; or channel help, tenant acme",
            MORE,
        ),
        ("if_score_missing: allow", "if_score_missing: flag", "if_score_missing allow -> flag", MORE),
        ("severity: medium", "severity: low", "severity medium -> low", SAME),
        ("[quality-pilot]", "[pilot]", "labels quality-pilot -> pilot", SAME),
        ("at most 1.5%", "at most 2%", "budget at most 1.5% -> at most 2%", SAME),
        ("mode: shadow", "mode: live", "mode shadow -> live", MORE),
        (
            "        - any:\n            - usefulness",
            "        - all:\n            - usefulness",
            (
                "when safety is below 0.55 and either usefulness is below 1.0 or honesty is in the lowest 2% -> "
                "safety is below 0.55 and usefulness is below 1.0 and honesty is in the lowest 2%"
            ),
            LESS,
        ),
    ],
)
def test_a_change_is_reported_by_its_meaning_with_what_is_proven_of_it(
    tmp_path: Path, old: str, new: str, line: str, claim: str | None
) -> None:
    found = changed(tmp_path, (old, new))

    assert (only(found).lines, only(found).claim, found.claim) == ((line,), claim, claim)


def test_a_rule_renamed_without_its_seed_redraws_its_users(tmp_path: Path) -> None:
    """Acceptance case 23."""
    found = changed(tmp_path, ("rule: useless-and-doubtful", "rule: doubtful"))

    change = only(found)
    assert (change.kind, change.claim, found.claim) == ("renamed", None, None)
    assert change.what == "chat-safety/useless-and-doubtful -> chat-safety/doubtful"
    assert change.warning == (
        "rollout will redraw users unless rollout_seed is kept: write rollout_seed: chat-safety/useless-and-doubtful"
    )


def test_a_rule_renamed_with_its_seed_flags_the_same(tmp_path: Path) -> None:
    kept = "rollout: 25% of users\n    rollout_seed: chat-safety/useless-and-doubtful"

    found = changed(tmp_path, ("rule: useless-and-doubtful", "rule: doubtful"), ("rollout: 25% of users", kept))

    assert (only(found).kind, only(found).warning, found.claim) == ("renamed", "", SAME)


def test_a_rule_renamed_and_changed_is_still_the_same_rule(tmp_path: Path) -> None:
    found = changed(tmp_path, ("rule: useless-and-doubtful", "rule: doubtful"), ("below 0.55", "below 0.60"))

    assert (only(found).kind, only(found).lines) == ("renamed", ("safety below 0.55 -> below 0.60",))
    assert "will redraw users" in only(found).warning


def test_rules_come_and_go(tmp_path: Path) -> None:
    old = a_policy(a_rule(name="stays"), a_rule("safety: below 0.2", name="goes"))
    new = a_policy(a_rule(name="stays"), a_rule("honesty: missing", name="comes").replace("Why it", "Another why it"))

    found = between(tmp_path, old, new)

    assert [(change.kind, change.what, change.claim) for change in found.changes] == [
        ("added", "chat-safety/comes", MORE),
        ("removed", "chat-safety/goes", LESS),
    ]
    # What went was covered by what stays, so all in all nothing is lost.
    assert found.claim == MORE


def test_a_shadow_rule_moves_no_verdict(tmp_path: Path) -> None:
    found = between(
        tmp_path, a_policy(a_rule()), a_policy(a_rule(), a_rule("honesty: missing", name="b", mode="shadow"))
    )

    assert (only(found).kind, only(found).claim, found.claim) == ("added", SAME, SAME)


def test_an_exemption_moves_the_rules_that_it_covers(tmp_path: Path) -> None:
    found = changed(tmp_path, ("until: 2026-12-15", "until: 2026-12-01"))

    assert [(change.what, change.lines, change.claim) for change in found.changes] == [
        ("chat-safety/unsafe-reply", ("changed by a signal, a list, a calibration or an exemption",), MORE),
        ("exemption red-team-room", ("until 2026-12-15 -> 2026-12-01",), None),
    ]
    assert found.claim == MORE


def test_a_signal_on_another_scale_moves_every_limit_on_it(tmp_path: Path) -> None:
    doubled = SIGNALS.replace("is_safe, scale: {low", "is_safe, scale: {multiply: 2, low")

    found = between(tmp_path, CHAT_SAFETY, CHAT_SAFETY, signals=doubled, exemptions=EXEMPTIONS)

    assert (found.changes[0].what, found.changes[0].lines) == ("signal safety", ("multiply 1 -> 2",))
    assert found.claim == LESS


@pytest.mark.parametrize("multiply", [5, -5])
def test_plausible_scores_are_reported_as_they_are_written(tmp_path: Path, multiply: int) -> None:
    scale = f"scale: {{multiply: {multiply}, add: -0.5, low: 0, high: 4}}"
    any_score = f"{SIGNALS}  risk: {{about: Risk, from: beavertails-is_safe, {scale}, good: low}}\n"
    few_scores = any_score.replace("good: low", "good: low, plausible: {low: -0.2, high: 4.1}")
    old, new = (a_set(tmp_path / name, signals=text) for name, text in (("old", any_score), ("new", few_scores)))

    lines = (only(diff(old, new)).lines, only(diff(new, old)).lines)

    assert lines == (("plausible none -> -0.2 to 4.1",), ("plausible -0.2 to 4.1 -> none",))


def test_an_event_without_scores_is_part_of_the_claim(tmp_path: Path) -> None:
    opened = SETTINGS.replace("if_unscored: flag", "if_unscored: allow")

    found = between(tmp_path, CHAT_SAFETY, CHAT_SAFETY, settings=opened, exemptions=EXEMPTIONS)

    assert (only(found).lines, found.claim) == (("if_unscored flag -> allow",), LESS)


def test_a_new_calibration_moves_what_a_percentage_means(tmp_path: Path) -> None:
    lower = [rank / 2000 for rank in range(1001)]
    skewed = a_calibration(quantiles=dict.fromkeys(OBJECTIVES, lower))
    found = between(tmp_path, CHAT_SAFETY, CHAT_SAFETY, calibration=json.dumps(skewed), exemptions=EXEMPTIONS)

    assert found.changes[0].what == "calibration of ArmoRM-Llama3-8B-v0.1"
    assert found.claim == LESS


def test_percentages_are_compared_for_the_models_that_both_folders_are_calibrated_for(tmp_path: Path) -> None:
    percent = a_policy(a_rule("safety: in the lowest 2%"))
    other_signals = SIGNALS.replace("ArmoRM-Llama3-8B-v0.1:", "other:")
    other_model = json.dumps(a_calibration(model={"name": "other", "fingerprint": "sha256:bbbb", "dtype": "bfloat16"}))
    for_one = a_set(tmp_path / "one", percent)
    for_other = a_set(tmp_path / "other", percent, signals=other_signals, calibration=other_model)
    for_both = replace(for_one, calibrations={**for_one.calibrations, **for_other.calibrations})

    swapped, added, removed = diff(for_one, for_other), diff(for_one, for_both), diff(for_both, for_one)

    assert swapped.claim is None
    assert [(change.kind, change.what) for change in added.changes] == [("added", "calibration of other")]
    assert (added.claim, removed.claim) == (SAME, SAME)


def test_rules_with_too_many_ranges_of_scores_are_not_compared(tmp_path: Path) -> None:
    names = ("safety", "helpfulness", "correctness")
    limits = [f"{{{signal}: below 0.{digits}}}" for signal in names for digits in range(11, 41)]
    old = a_policy(a_rule(f"any: [{', '.join(limits)}]"))

    found = between(tmp_path, old, old.replace("0.40}", "0.41}"))

    assert (only(found).claim, found.claim) == (None, None)


def test_a_derived_signal_that_comes_is_reported_with_what_it_chooses_from(tmp_path: Path) -> None:
    before = a_set(
        tmp_path / "a",
        signals=SIGNALS.replace(
            "  usefulness:  {about: The worse of the two, lowest_of: [helpfulness, correctness]}\n", ""
        ),
    )
    after = a_set(tmp_path / "b")

    (change,) = diff(before, after).changes

    assert (change.kind, change.what) == ("added", "signal usefulness")
    assert change.lines == ("lowest of correctness, helpfulness",)


WITH_FACTS = f"""{SIGNALS}
  account-age: {{about: Its age, from_event: metadata.age_h, scale: {{low: 0, unit: hours}}, good: high}}
"""
WITH_ACTIONS = SETTINGS + "if_fact_missing: allow\nactions: [alert, hold, remove]\nqueues: [spam]\n"
TEXTS = "texts:\n  young: {en: Your account is new.}\n"


def of_a_rule(folder: Path, flag: str = HIGH, when: str = "account-age: below 24", **files: str) -> PolicySet:
    given = {"settings": WITH_ACTIONS, "signals": WITH_FACTS} | files
    texts = given.pop("texts", None)
    a_folder(folder, a_policy(a_rule(when, flag=flag)), **given)
    if texts is not None:
        (folder / "texts.yaml").write_text(texts)
    return load_policies(folder)


def flag_with(action: str) -> str:
    return HIGH.replace("}", f", action: {action}}}")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (flag_with("hold"), flag_with("remove"), "action hold -> remove, acts stronger"),
        (flag_with("hold"), flag_with("alert"), "action hold -> alert, acts weaker"),
        (HIGH, flag_with("alert"), "action none -> alert, acts stronger"),
        (flag_with("remove"), HIGH, "action remove -> none, acts weaker"),
    ],
)
def test_an_action_that_changes_says_which_way_and_moves_no_verdict(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    found = diff(of_a_rule(tmp_path / "old", old), of_a_rule(tmp_path / "new", new))

    assert (only(found).lines, only(found).claim, found.claim) == ((line,), SAME, SAME)


def test_actions_in_another_order_are_reported(tmp_path: Path) -> None:
    other = WITH_ACTIONS.replace("[alert, hold, remove]", "[hold, alert, remove]")

    found = diff(of_a_rule(tmp_path / "old"), of_a_rule(tmp_path / "new", settings=other))

    assert only(found).lines == ("actions from mildest to strongest: alert, hold, remove -> hold, alert, remove",)
    assert found.claim == SAME


def test_an_action_that_is_added_between_others_changes_nothing(tmp_path: Path) -> None:
    other = WITH_ACTIONS.replace("hold, remove", "hold, mute, remove")

    assert diff(of_a_rule(tmp_path / "old"), of_a_rule(tmp_path / "new", settings=other)).changes == ()


def test_an_action_that_only_one_folder_declares_acts_otherwise(tmp_path: Path) -> None:
    other = WITH_ACTIONS.replace("[alert, hold, remove]", "[mute]")

    found = diff(
        of_a_rule(tmp_path / "old", flag_with("hold")), of_a_rule(tmp_path / "new", flag_with("mute"), settings=other)
    )

    assert only(found).lines == ("action hold -> mute, acts otherwise",)


def test_texts_for_people_change_no_verdict(tmp_path: Path) -> None:
    flag = HIGH.replace("}", ", notify: {user: young}}")
    other = TEXTS.replace("is new", "is very new")

    found = diff(of_a_rule(tmp_path / "old", flag, texts=TEXTS), of_a_rule(tmp_path / "new", flag, texts=other))

    assert list(change_lines(only(found))) == ["texts changed, no verdict changes: young"]
    assert found.claim == SAME


def test_the_limit_of_a_fact_moves_verdicts_as_that_of_a_score_does(tmp_path: Path) -> None:
    found = diff(of_a_rule(tmp_path / "old"), of_a_rule(tmp_path / "new", when="account-age: below 48"))

    assert (only(found).lines, only(found).claim) == (("account-age below 24 -> below 48",), MORE)


def test_of_a_signal_whose_good_end_is_another_nothing_is_proven_as_another_passage_may_count(tmp_path: Path) -> None:
    low = SIGNALS.replace("high: 1}, good: high}", "high: 1}, good: low}")

    found = between(tmp_path, a_policy(a_rule()), a_policy(a_rule()), signals=low)

    assert found.claim is None
    assert all(change.claim is None for change in found.changes)
