import json
from pathlib import Path

import pytest

from moderator.errors import PolicyError
from moderator.objectives import ARMORM_OBJECTIVES
from moderator.policy import load_policies
from moderator.policy.files.folder import Unreadable, read_files, source_hash
from tests.unit.policy.folders import (
    CHAT_SAFETY,
    EXEMPTIONS,
    MODEL,
    NOON_MS,
    SETTINGS,
    SIGNALS,
    a_calibration,
    a_folder,
    a_model,
    a_policy,
    a_rule,
    a_set,
    an_event,
    judge_raw,
)

BUILT_IN_OBJECTIVES = ("beavertails-is_safe", "helpsteer-helpfulness")
UNDERIVED = json.dumps(a_calibration(derived={}))
EXAMPLES = Path(__file__).parents[3] / "policies"


@pytest.mark.parametrize("objectives", [BUILT_IN_OBJECTIVES, ARMORM_OBJECTIVES])
def test_the_example_policies_suit_the_built_in_model_and_armorm(objectives: tuple[str, ...]) -> None:
    policies = load_policies(EXAMPLES)

    assert policies.warnings == ()
    assert policies.check_model(a_model(objectives)) == []


def test_the_example_policies_flag_insults_by_users_and_unsafe_replies() -> None:
    judge = load_policies(EXAMPLES).bind(ARMORM_OBJECTIVES)
    rewards = [0.7] * len(ARMORM_OBJECTIVES)
    rewards[ARMORM_OBJECTIVES.index("beavertails-is_safe")] = 0.05

    user, assistant = (judge.decide(an_event(speaker), rewards, NOON_MS) for speaker in ("user", "assistant"))

    assert (user.verdict, user.severity, user.reasons) == ("flag", "high", ["abusive_message"])
    assert (assistant.verdict, assistant.severity, assistant.reasons) == ("flag", "high", ["unsafe_content"])


def test_a_rule_whose_objective_the_model_lacks_is_refused_at_its_place(tmp_path: Path) -> None:
    policies = a_set(tmp_path, CHAT_SAFETY)

    with pytest.raises(PolicyError) as caught:
        policies.check_model(a_model(BUILT_IN_OBJECTIVES))

    text = str(caught.value)
    assert text.startswith(f'the policies do not suit the model "{MODEL}": 3 errors\n')
    assert 'policy-0.yaml:25:27 usefulness is read from "helpsteer-correctness"' in text
    assert 'policy-0.yaml:26:24 honesty is read from "ultrafeedback-honesty"' in text
    assert 'policy-0.yaml:28:20 correctness is read from "helpsteer-correctness"' in text


def test_a_shadow_rule_counts_as_use_and_a_rule_that_is_off_does_not(tmp_path: Path) -> None:
    shadow = a_set(tmp_path / "a", a_policy(a_rule(), a_rule("correctness: below 1", name="b", mode="shadow")))
    off = a_set(tmp_path / "b", a_policy(a_rule(), a_rule("correctness: below 1", name="b", mode="off")))

    with pytest.raises(PolicyError, match="1 error"):
        shadow.check_model(a_model(BUILT_IN_OBJECTIVES))
    assert [warning.code for warning in off.check_model(a_model(BUILT_IN_OBJECTIVES))] == ["P061"] * 3


def test_a_declared_signal_that_the_model_lacks_has_no_score(tmp_path: Path) -> None:
    judge = a_set(tmp_path).bind(BUILT_IN_OBJECTIVES)

    judgement = judge.decide(an_event(), [0.9, 0.7], NOON_MS)

    missing = {"correctness": None, "honesty": None, "usefulness": None}
    assert judgement.signals == {"safety": 0.9, "helpfulness": 3.0, **missing}
    assert judgement.status == "scored"


def test_rewards_are_read_in_the_order_of_the_models_objectives(tmp_path: Path) -> None:
    judge = a_set(tmp_path).bind(tuple(reversed(BUILT_IN_OBJECTIVES)))

    judgement = judge.decide(an_event(), [0.7, 0.1], NOON_MS)

    assert (judgement.signals["safety"], judgement.verdict) == (0.1, "flag")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("below 0.30", "below 0.300001"),
        ("mode: shadow", "mode: live"),
        ("severity: medium", "severity: low"),
        ("reason: low_quality", "reason: unsafe_content"),
        ("[quality-pilot]", "[pilot]"),
        ("[moderator, staff]", "[moderator]"),
        ("[en, en-*]", "[en]"),
        ("if_score_missing: allow", "if_score_missing: flag"),
        ("any:\n", "all:\n"),
        ("rule: stricter-safety", "rule: strict-safety"),
        ("rollout: 25% of users", "rollout: 25.5% of users"),
        ("rollout: 25% of users", "rollout: 25% of tenants"),
        ("rollout: 25% of users", "rollout: 25% of users\n    rollout_seed: a"),
        ("starts: 2026-10-01", "starts: 2026-10-02"),
        ("until: 2027-01-01", "until: 2027-01-01T00:00:01Z"),
        ("in the lowest 2%", "in the lowest 2.1%"),
    ],
)
def test_each_change_of_meaning_changes_the_snapshot(tmp_path: Path, old: str, new: str) -> None:
    before = a_set(tmp_path / "a", CHAT_SAFETY)
    assert old in CHAT_SAFETY

    after = a_set(tmp_path / "b", CHAT_SAFETY.replace(old, new, 1))

    assert after.snapshot != before.snapshot


@pytest.mark.parametrize(
    ("settings", "signals"),
    [
        (SETTINGS.replace("if_unscored: flag", "if_unscored: allow"), SIGNALS),
        (SETTINGS.replace("if_score_missing: flag", "if_score_missing: allow"), SIGNALS),
        (SETTINGS, SIGNALS.replace("multiply: 5", "multiply: 4")),
        (SETTINGS, SIGNALS.replace("beavertails-is_safe", "prometheus-score")),
        (SETTINGS, SIGNALS.replace("high: 1}, good: high}", "high: 1}, good: low}")),
        (SETTINGS, SIGNALS.replace("good: high}", "good: high, plausible: {low: 0, high: 1}}", 1)),
    ],
)
def test_settings_and_signals_are_part_of_the_snapshot(tmp_path: Path, settings: str, signals: str) -> None:
    before = a_set(tmp_path / "a")

    after = a_set(tmp_path / "b", settings=settings, signals=signals)

    assert after.snapshot != before.snapshot


def test_the_snapshot_of_the_same_meaning_stays_the_same_from_version_to_version(tmp_path: Path) -> None:
    assert (
        a_set(tmp_path, CHAT_SAFETY).snapshot
        == "sha256:07f13242b7dfe9833f1dfb87f9ac8d10513dd472dac2ada91836f7dfc1b07682"
    )


def test_a_rule_that_is_off_is_no_part_of_the_snapshot(tmp_path: Path) -> None:
    without = a_set(tmp_path / "a", a_policy(a_rule()))
    with_off = a_set(tmp_path / "b", a_policy(a_rule(), a_rule(name="b", mode="off")))

    assert with_off.snapshot == without.snapshot


def test_a_rule_may_fail_open_where_the_folder_fails_closed_and_the_other_way_round(tmp_path: Path) -> None:
    opens = a_set(tmp_path / "a", a_policy(a_rule(more="if_score_missing: allow")))
    closes = a_set(
        tmp_path / "b",
        a_policy(a_rule(more="if_score_missing: flag")),
        settings=SETTINGS.replace("if_score_missing: flag", "if_score_missing: allow"),
    )

    assert judge_raw(opens, safety=None).verdict == "allow"
    assert judge_raw(closes, safety=None).verdict == "flag"


def test_labels_of_all_rules_that_count_are_joined(tmp_path: Path) -> None:
    one = a_rule(flag="{severity: low, reason: unsafe_content, labels: [b, a]}")
    two = a_rule("safety: below 0.20", name="two", flag="{severity: critical, reason: low_quality, labels: [c, a]}")

    judgement = judge_raw(a_set(tmp_path, a_policy(one, two)), safety=0.1)

    assert (judgement.labels, judgement.severity) == (["a", "b", "c"], "critical")
    assert judgement.reasons == ["low_quality", "unsafe_content"]


def test_warnings_travel_with_the_set(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule(mode="shadow")))

    assert [warning.code for warning in policies.warnings] == ["P053"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2026-12-15", "2026-12-14"),
        ("2026-09-20", "2026-09-21"),
        ("red-team-room", "red-room"),
        ("tenant: acme", "tenant: beta"),
        ("[chat-safety/unsafe-reply]", "[chat-safety/useless-and-doubtful]"),
    ],
)
def test_exemptions_are_part_of_the_snapshot(tmp_path: Path, old: str, new: str) -> None:
    before = a_set(tmp_path / "a", CHAT_SAFETY, exemptions=EXEMPTIONS)

    after = a_set(tmp_path / "b", CHAT_SAFETY, exemptions=EXEMPTIONS.replace(old, new))

    assert after.snapshot != before.snapshot


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("at most 1.5%", "at most 2%"),
        ("starts: 2026-10-01", "starts: 2026-10-01T02:00:00+02:00"),
        ("owner: trust-safety@example.com", "owner: others@example.com"),
    ],
)
def test_what_changes_no_decision_changes_no_snapshot(tmp_path: Path, old: str, new: str) -> None:
    before = a_set(tmp_path / "a", CHAT_SAFETY)
    assert old in CHAT_SAFETY

    after = a_set(tmp_path / "b", CHAT_SAFETY.replace(old, new, 1))

    assert after.snapshot == before.snapshot


def test_a_derived_signal_is_part_of_the_snapshot(tmp_path: Path) -> None:
    before = a_set(tmp_path / "a")

    after = a_set(tmp_path / "b", signals=SIGNALS.replace("lowest_of", "highest_of"))

    assert after.snapshot != before.snapshot


def test_stored_files_are_the_policies_that_they_were(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, CHAT_SAFETY, exemptions=EXEMPTIONS)
    stored = read_files(folder)

    (folder / "policy-0.yaml").write_text("{")
    restored = load_policies(stored)

    assert restored.snapshot == a_set(tmp_path / "again", CHAT_SAFETY, exemptions=EXEMPTIONS).snapshot
    assert sorted(stored) == [
        *("calibration/armorm.json", "exemptions.yaml", "policy-0.yaml", "settings.yaml", "signals.yaml")
    ]


def test_the_source_hash_tells_every_edit_of_a_file(tmp_path: Path) -> None:
    files = read_files(a_folder(tmp_path))

    edited = {**files, "settings.yaml": SETTINGS.encode() + b"# why"}
    renamed = {("other.yaml" if name == "policy-0.yaml" else name): content for name, content in files.items()}
    unreadable = {**files, "settings.yaml": Unreadable("cannot be read", "")}

    hashes = {source_hash(each) for each in (files, edited, renamed, unreadable)}
    assert len(hashes) == 4
    assert source_hash(dict(reversed(files.items()))) == source_hash(files)


def test_the_source_hash_tells_where_a_name_ends() -> None:
    assert source_hash({"a.yaml": b"b: 1"}) != source_hash({"a.yamlb": b": 1"})


def test_errors_of_stored_files_say_where_they_were(tmp_path: Path) -> None:
    files = {**read_files(a_folder(tmp_path)), "policy-0.yaml": b"{"}

    with pytest.raises(PolicyError, match="cannot use the policies in `/etc/policies`: 1 error"):
        load_policies(files, Path("/etc/policies"))


@pytest.mark.parametrize(
    ("more", "exemptions", "uses"),
    [
        ("", None, False),
        ("starts: 2026-10-01", None, True),
        ("until: 2026-10-01", None, True),
        ("rollout: 5% of users", None, False),
        ("", EXEMPTIONS, True),
    ],
)
def test_a_set_knows_whether_the_time_of_events_matters(
    tmp_path: Path,
    more: str,
    exemptions: str | None,
    uses: bool,  # noqa: FBT001 - a column of the table
) -> None:
    policies = a_set(tmp_path, a_policy(a_rule(more=more)), exemptions=exemptions)

    assert policies.uses_event_time is uses


def test_a_rule_that_is_off_makes_no_use_of_time(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule(), a_rule(name="b", mode="off", more="until: 2026-10-01")))

    assert policies.uses_event_time is False


@pytest.mark.parametrize(
    ("pick", "score", "cause"), [("lowest_of", 2.5, None), ("highest_of", 3.0, None), ("lowest_of", None, "not_finite")]
)
def test_a_derived_signal_is_one_of_its_members_and_needs_all(
    tmp_path: Path, pick: str, score: float | None, cause: str | None
) -> None:
    signals = SIGNALS.replace("lowest_of", pick)
    policies = a_set(tmp_path, a_policy(a_rule("usefulness: below 1")), signals=signals, calibration=UNDERIVED)

    judgement = judge_raw(policies, helpfulness=0.7, correctness=0.6 if score else float("nan"))

    (condition,) = judgement.rules[0]["conditions"]
    assert judgement.signals["usefulness"] == score
    assert (condition["score"], condition.get("cause")) == (score, cause)


def test_signals_that_a_scale_turns_round_are_compared_as_people_see_them(tmp_path: Path) -> None:
    scale = "scale: {multiply: -1, add: 1, low: 0, high: 1}, good: low"
    signals = f"""{SIGNALS}
  rude:    {{about: x, from: helpsteer-helpfulness, {scale}}}
  crude:   {{about: x, from: helpsteer-correctness, {scale}}}
  worst:   {{about: x, highest_of: [rude, crude]}}
"""
    policies = a_set(tmp_path, a_policy(a_rule("worst: above 0.5")), signals=signals)

    judgement = judge_raw(policies, helpfulness=0.7, correctness=0.2)

    assert (judgement.signals["rude"], judgement.signals["crude"], judgement.signals["worst"]) == (0.3, 0.8, 0.8)
    assert judgement.verdict == "flag"
