from pathlib import Path

import pytest

from moderator.errors import PolicyError
from moderator.objectives import ARMORM_OBJECTIVES
from moderator.policy import load_policies
from tests.unit.policy.folders import (
    CHAT_SAFETY,
    MODEL,
    NOON_MS,
    SETTINGS,
    SIGNALS,
    a_model,
    a_policy,
    a_rule,
    a_set,
    an_event,
    judge_raw,
)

BUILT_IN_OBJECTIVES = ("beavertails-is_safe", "helpsteer-helpfulness")
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
        == "sha256:cc50e7e8222f6767bff6a0b0795dc454699613cc802223371ea9c8fe3050e411"
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
