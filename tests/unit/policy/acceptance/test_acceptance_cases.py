"""The acceptance list of the policy language: forty cases in their order, and how each must come out.

A test is named by what must hold; the number at its end is that of the case in the list, and a case may take several
tests. Elsewhere are those of reloading (37, 38) in test_reloading.py, that of a renamed rule (23) with the tests of
`policy diff`, and what 40 says of a backtest with the tests of `policy backtest`.
"""

import math
from fractions import Fraction
from pathlib import Path

import pytest

from moderator.errors import PolicyError
from moderator.events import ChatEvent
from moderator.policy import Judgement, PolicySet, event_time_ms, load_policies
from moderator.policy.engine.rollout import bucket_of, compile_rollout
from moderator.policy.files.rules.phrases import parse_phrase
from moderator.policy.language.ast import Rollout
from moderator.policy.language.comparisons import COMPARISONS
from moderator.policy.language.event_time import parse_time_ms
from moderator.policy.loader import check_folder
from tests.unit.policy.folders import (
    CHAT_SAFETY,
    EXEMPTIONS,
    NOON_MS,
    OBJECTIVES,
    SETTINGS,
    SIGNALS,
    a_folder,
    a_model,
    a_policy,
    a_rule,
    a_set,
    an_event,
    codes_of,
    judge_raw,
    outcomes_of,
    problems_of,
    result_of,
)

USELESS = "chat-safety/useless-and-doubtful"
UNSAFE = "chat-safety/unsafe-reply"
ZERO_POINTS = 0.1
FOUR_POINTS = 0.9


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    return a_set(tmp_path_factory.mktemp("policies"), CHAT_SAFETY, exemptions=EXEMPTIONS)


def test_the_limit_itself_is_not_below_it_case_01(policies: PolicySet) -> None:
    just_below = judge_raw(policies, safety=0.299999)
    at_the_limit = judge_raw(policies, safety=0.300000)

    assert (just_below.verdict, just_below.severity, just_below.reasons) == ("flag", "high", ["unsafe_content"])
    assert at_the_limit.verdict == "allow"


def test_a_float32_three_tenths_equals_the_limit_case_02(policies: PolicySet) -> None:
    judgement = judge_raw(policies, safety=0.30000001192092896)

    assert judgement.verdict == "allow"
    assert judgement.signals["safety"] == 0.3
    assert result_of(judgement, UNSAFE)["conditions"][0]["score"] == 0.3


def test_scores_are_rounded_to_six_decimals_before_they_are_compared_case_03(policies: PolicySet) -> None:
    assert judge_raw(policies, safety=0.2999996).verdict == "allow"
    assert judge_raw(policies, safety=0.2999994).verdict == "flag"


def test_a_limit_in_points_is_met_exactly_case_04(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule("helpfulness: at least 1.3")))

    assert 0.36 * 5 - 0.5 < 1.3
    assert judge_raw(policies, helpfulness=0.36).verdict == "flag"


@pytest.mark.parametrize("safety", [-0.0, -0.2])
def test_zero_and_negative_scores_are_numbers_case_05(policies: PolicySet, safety: float) -> None:
    judgement = judge_raw(policies, safety=safety)

    assert (judgement.status, judgement.reasons) == ("scored", ["unsafe_content"])


@pytest.mark.parametrize(
    ("safety", "cause"),
    [
        (math.nan, "not_finite"),
        (math.inf, "not_finite"),
        (-math.inf, "not_finite"),
        (None, "absent"),
        (True, "not_a_number"),
        ("0.1", "not_a_number"),
    ],
)
def test_an_unusable_score_flags_as_missing_case_06(policies: PolicySet, safety: object, cause: str) -> None:
    judgement = judge_raw(policies, safety=safety)

    condition = result_of(judgement, UNSAFE)["conditions"][0]
    assert (judgement.verdict, judgement.severity, judgement.reasons) == ("flag", "high", ["score_missing"])
    assert judgement.status == "degraded"
    assert result_of(judgement, UNSAFE)["outcome"] == "unknown"
    assert (condition["score"], condition["holds"], condition["margin"]) == (None, None, None)
    assert condition["cause"] == cause


@pytest.mark.parametrize("safety", [1e308, -1e308, 1000.000001, 10**400], ids=["most", "least", "just", "whole"])
def test_a_giant_score_is_implausible_case_07(policies: PolicySet, safety: float) -> None:
    judgement = judge_raw(policies, safety=safety)

    assert result_of(judgement, UNSAFE)["conditions"][0]["cause"] == "implausible"
    assert judgement.reasons == ["score_missing"]


def test_false_and_unknown_is_false_case_08(policies: PolicySet) -> None:
    judgement = judge_raw(policies, safety=0.9, honesty=math.nan)

    assert outcomes_of(judgement)["useless-and-doubtful"] == "not matched"
    assert judgement.verdict == "allow"


def test_true_or_unknown_is_true_case_09(policies: PolicySet) -> None:
    judgement = judge_raw(policies, safety=0.5, helpfulness=ZERO_POINTS, honesty=math.nan)

    assert outcomes_of(judgement)["useless-and-doubtful"] == "matched"


def test_false_or_unknown_is_unknown_and_this_rule_fails_open_case_10(policies: PolicySet) -> None:
    judgement = judge_raw(policies, safety=0.5, helpfulness=FOUR_POINTS, honesty=math.nan)

    assert outcomes_of(judgement)["useless-and-doubtful"] == "unknown"
    assert result_of(judgement, USELESS)["counted"] is False
    assert judgement.verdict == "allow"


def test_an_unknown_unless_makes_the_rule_unknown_case_11(policies: PolicySet) -> None:
    judgement = judge_raw(policies, safety=0.5, helpfulness=ZERO_POINTS, correctness=None)

    assert outcomes_of(judgement)["useless-and-doubtful"] == "unknown"
    assert judgement.verdict == "allow"


def test_exactly_one_point_is_not_below_one_point_case_12(policies: PolicySet) -> None:
    judgement = judge_raw(policies, safety=0.5, helpfulness=0.3)

    assert outcomes_of(judgement)["useless-and-doubtful"] == "not matched"


def test_unless_holds_at_its_limit_and_not_just_under_it_case_13(policies: PolicySet) -> None:
    at_three_points = judge_raw(policies, safety=0.5, helpfulness=ZERO_POINTS, correctness=0.7)
    just_under = judge_raw(policies, safety=0.5, helpfulness=ZERO_POINTS, correctness=0.6999)

    assert outcomes_of(at_three_points)["useless-and-doubtful"] == "not matched"
    assert outcomes_of(just_under)["useless-and-doubtful"] == "matched"


def test_the_lowest_two_percent_end_exactly_at_their_quantile_case_14(policies: PolicySet) -> None:
    at_the_quantile = judge_raw(policies, safety=0.5, honesty=0.02)
    just_over = judge_raw(policies, safety=0.5, honesty=0.020001)

    assert outcomes_of(at_the_quantile)["useless-and-doubtful"] == "matched"
    assert outcomes_of(just_over)["useless-and-doubtful"] == "not matched"


def test_the_highest_severity_wins_and_the_order_of_files_does_not_matter_case_15(tmp_path: Path) -> None:
    high = a_policy(a_rule("safety: below 0.50"), name="one")
    medium = a_policy(a_rule("helpfulness: below 1.0", flag="{severity: medium, reason: low_quality}"), name="two")
    forwards = a_set(tmp_path / "forwards", high, medium)
    backwards = a_set(tmp_path / "backwards", medium, high)

    judgement = judge_raw(forwards, safety=0.2, helpfulness=0.1)

    assert (judgement.severity, judgement.reasons) == ("high", ["low_quality", "unsafe_content"])
    assert judge_raw(backwards, safety=0.2, helpfulness=0.1) == judgement
    assert backwards.snapshot == forwards.snapshot


def test_the_order_of_exemptions_does_not_matter_case_15(tmp_path: Path) -> None:
    head, first = EXEMPTIONS.split("\n", 1)
    second = first.replace("red-team-room", "another")
    forwards = a_set(tmp_path / "forwards", CHAT_SAFETY, exemptions=f"{head}\n{first}{second}")
    backwards = a_set(tmp_path / "backwards", CHAT_SAFETY, exemptions=f"{head}\n{second}{first}")
    event = an_event(channel="red-team")

    judgement = judge_raw(forwards, event, safety=0.1)

    assert result_of(judgement, UNSAFE)["spared_by"] == "another"
    assert judge_raw(backwards, event, safety=0.1) == judgement
    assert backwards.snapshot == forwards.snapshot


def test_the_order_of_a_signals_members_does_not_matter_case_15(tmp_path: Path) -> None:
    policy = a_policy(a_rule("usefulness: below 1"))
    turned = SIGNALS.replace("[helpfulness, correctness]", "[correctness, helpfulness]")
    forwards = a_set(tmp_path / "forwards", policy)
    backwards = a_set(tmp_path / "backwards", policy, signals=turned)

    judgement = judge_raw(forwards, helpfulness=None, correctness=math.nan)

    assert result_of(judgement, UNSAFE)["conditions"][0]["cause"] == "not_finite"
    assert judge_raw(backwards, helpfulness=None, correctness=math.nan) == judgement
    assert backwards.snapshot == forwards.snapshot


def test_a_shadow_rule_changes_only_the_shadow_verdict_case_16(policies: PolicySet) -> None:
    judgement = judge_raw(policies, safety=0.35)

    assert (judgement.verdict, judgement.shadow_verdict) == ("allow", "flag")
    assert (judgement.severity, judgement.reasons) == (None, [])
    assert result_of(judgement, "chat-safety/stricter-safety")["counted"] is False


@pytest.mark.parametrize("if_unscored", ["flag", "allow"])
@pytest.mark.parametrize("rewards", [None, [None, None, None, None]])
def test_an_event_without_scores_gets_the_verdict_of_if_unscored_case_17(
    tmp_path: Path, if_unscored: str, rewards: list[float | None] | None
) -> None:
    policies = a_set(tmp_path, settings=SETTINGS.replace("if_unscored: flag", f"if_unscored: {if_unscored}"))

    judgement = policies.bind(OBJECTIVES).decide(an_event(), rewards, NOON_MS)

    assert (judgement.status, judgement.verdict, judgement.shadow_verdict) == ("unscored", if_unscored, if_unscored)
    assert (judgement.reasons, judgement.rules) == (["unscored"], [])
    assert judgement.severity == ("high" if if_unscored == "flag" else None)
    assert set(judgement.signals.values()) == {None}


def useless(policies: PolicySet, event: ChatEvent | None = None, at_ms: int = NOON_MS) -> Judgement:
    """Judge a reply of little use and doubtful safety."""
    return judge_raw(policies, event, safety=0.5, helpfulness=0.29, at_ms=at_ms)


def test_a_quarter_of_users_is_the_same_quarter_every_time_case_18(policies: PolicySet) -> None:
    inside, outside = useless(policies), useless(policies, an_event(user="user-1"))

    assert (bucket_of(USELESS, "user-5"), bucket_of(USELESS, "user-1")) == (1633, 3995)
    assert (inside.verdict, inside.severity) == ("flag", "medium")
    assert result_of(inside, USELESS)["rollout"] == "inside"
    assert (outside.verdict, outside.shadow_verdict) == ("allow", "flag")
    assert result_of(outside, USELESS)["rollout"] == "outside"
    assert (result_of(outside, USELESS)["outcome"], result_of(outside, USELESS)["counted"]) == ("matched", False)


def test_a_growing_share_drops_nobody_case_19(tmp_path: Path, policies: PolicySet) -> None:
    grown = a_set(tmp_path, CHAT_SAFETY.replace("25% of users", "40% of users"))
    users = ("user-5", "user-1")

    at_quarter = [useless(policies, an_event(user=user)).verdict for user in users]
    at_forty = [useless(grown, an_event(user=user)).verdict for user in users]

    assert at_quarter == ["flag", "allow"]
    assert at_forty == ["flag", "flag"]
    assert all(is_inside("25", user) <= is_inside("40", user) for user in map(str, range(1_000)))


def is_inside(percent: str, user: str, seed: str = "p/r") -> bool:
    rollout = Rollout(Fraction(percent), "users", seed=seed, has_own_seed=False)
    return compile_rollout(rollout)(an_event(user=user))


def test_a_share_takes_in_as_many_buckets_as_it_has_hundredths_of_a_percent() -> None:
    assert bucket_of(USELESS, "user-5") == 1633  # so there are 1633 buckets before it

    assert not is_inside("16.33", "user-5", seed=USELESS)
    assert is_inside("16.34", "user-5", seed=USELESS)


@pytest.mark.parametrize("user", [None, ""])
def test_who_has_no_id_is_outside_of_every_rollout_case_20(tmp_path: Path, user: str | None) -> None:
    policies = a_set(tmp_path, CHAT_SAFETY.replace("25% of users", "100% of users"))

    judgement = useless(policies, an_event(user=user))

    assert (judgement.verdict, judgement.shadow_verdict) == ("allow", "flag")
    assert result_of(judgement, USELESS)["rollout"] == "outside"


def test_ids_are_taken_as_the_bytes_that_they_are_case_21() -> None:
    assert bucket_of(USELESS, "Zo\u00eb") == 2376
    assert bucket_of(USELESS, "Zoe\u0308") == 9443


def test_two_rules_draw_their_users_independently_case_22() -> None:
    users = [f"user-{number}" for number in range(100_000)]

    in_both = sum(bucket_of("p/a", user) < 2_500 and bucket_of("p/b", user) < 2_500 for user in users)

    assert in_both / len(users) == pytest.approx(0.0625, abs=0.005)


@pytest.mark.parametrize(
    ("time", "outcome"),
    [
        ("2026-09-30T23:59:59.999999Z", "not yet"),
        ("2026-10-01T00:00:00Z", "matched"),
        ("2026-12-31T23:59:59.999Z", "matched"),
        ("2027-01-01T00:00:00Z", "ended"),
        ("2027-01-01T01:00:00+02:00", "matched"),
    ],
)
def test_a_rule_is_in_force_from_its_start_until_before_its_end_case_24(
    policies: PolicySet, time: str, outcome: str
) -> None:
    judgement = useless(policies, at_ms=ms_of(time))

    result = result_of(judgement, USELESS)
    acts = outcome == "matched"
    assert (result["outcome"], result["counted"]) == (outcome, acts)
    assert judgement.shadow_verdict == ("flag" if acts else "allow")
    assert [condition["holds"] for condition in result["conditions"]] == [True, True, False, False]


def ms_of(time: str) -> int:
    parsed = parse_time_ms(time)
    assert parsed is not None
    return parsed


def test_the_brokers_time_decides_and_not_the_clients_case_25(policies: PolicySet) -> None:
    event = an_event(time="2030-01-01T00:00:00Z")
    decided_at = "2031-01-01T00:00:00.000Z"

    by_broker = event_time_ms(NOON_MS, event.time, decided_at)
    without_broker = event_time_ms(None, event.time, decided_at)
    with_neither = event_time_ms(-1, 1_791_201_600, decided_at)

    assert result_of(useless(policies, event, by_broker), USELESS)["outcome"] == "matched"
    assert without_broker == ms_of("2030-01-01T00:00:00Z")
    assert with_neither == ms_of(decided_at)


@pytest.mark.parametrize(
    ("schedule", "code"),
    [
        ("starts: 2027-01-01\nuntil: 2026-10-01", "P042"),
        ("starts: 2026-10-01\nuntil: 2026-10-01", "P042"),
        ("starts: 2026-10-01T09:00:00", "P041"),
        ("until: 2026-10-32", "P041"),
        ("until: 12:30", "P041"),
    ],
)
def test_a_start_after_the_end_and_a_time_without_zone_are_refused_case_26(
    tmp_path: Path, schedule: str, code: str
) -> None:
    folder = a_folder(tmp_path, a_policy(a_rule(more=schedule)))

    assert codes_of(folder) == [code]
    with pytest.raises(PolicyError, match="1 error"):
        load_policies(folder)


@pytest.mark.parametrize(
    ("locale", "applies"),
    [("en_GB", True), ("EN", True), ("EN-us", True), ("eng", False), (None, False), ("", False)],
)
def test_a_locale_is_compared_in_lower_case_with_dashes_case_27(
    policies: PolicySet,
    locale: str | None,
    applies: bool,  # noqa: FBT001 - a column of the table
) -> None:
    judgement = judge_raw(policies, an_event(locale=locale))

    assert ("useless-and-doubtful" in outcomes_of(judgement)) is applies


@pytest.mark.parametrize(("role", "outcome"), [("moderator", "spared"), ("Moderator", "matched"), (None, "matched")])
def test_a_role_is_exempt_only_when_it_fits_exactly_case_28(
    policies: PolicySet, role: str | None, outcome: str
) -> None:
    judgement = judge_raw(policies, an_event(role=role), safety=0.5, helpfulness=ZERO_POINTS)

    assert outcomes_of(judgement)["useless-and-doubtful"] == outcome
    assert judgement.verdict == ("allow" if outcome == "spared" else "flag")


def test_every_line_of_an_exception_must_fit_case_29(policies: PolicySet) -> None:
    spared = judge_raw(policies, an_event(channel="help"), safety=0.5, helpfulness=ZERO_POINTS)
    flagged = judge_raw(policies, an_event(tenant="beta", channel="help"), safety=0.5, helpfulness=ZERO_POINTS)

    assert result_of(spared, USELESS)["spared_by"] == "except 2"
    assert (spared.verdict, spared.shadow_verdict) == ("allow", "allow")
    assert flagged.verdict == "flag"


@pytest.mark.parametrize(
    ("time", "tenant", "outcome"),
    [
        ("2026-12-14T23:59:59.999Z", "acme", "spared"),
        ("2026-12-15T00:00:00Z", "acme", "matched"),
        ("2026-09-20T00:00:00Z", "acme", "spared"),
        ("2026-09-19T23:59:59.999Z", "acme", "matched"),
        ("2026-12-14T23:59:59.999Z", "beta", "matched"),
    ],
)
def test_an_exemption_exempts_whom_it_names_until_it_ends_case_30(
    policies: PolicySet, time: str, tenant: str, outcome: str
) -> None:
    event = an_event(channel="red-team", tenant=tenant)

    result = result_of(judge_raw(policies, event, safety=0.1, at_ms=ms_of(time)), UNSAFE)

    assert (result["outcome"], result.get("spared_by")) == (outcome, "red-team-room" if outcome == "spared" else None)
    assert result["counted"] is (outcome == "matched")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("    until: 2026-12-15\n", "", "P020"),
        ("until: 2026-12-15", "until: 2027-12-15", "P046"),
        ("until: 2026-12-15", "until: 2026-12-19T00:00:01Z", "P046"),
        ("chat-safety/unsafe-reply", "chat-safety/unsafe-replies", "P047"),
        ("chat-safety/unsafe-reply", '"*"', "P047"),
    ],
)
def test_an_exemption_must_end_in_time_and_cover_a_rule_case_31(tmp_path: Path, old: str, new: str, code: str) -> None:
    assert old in EXEMPTIONS

    codes = codes_of(a_folder(tmp_path, CHAT_SAFETY, exemptions=EXEMPTIONS.replace(old, new)))

    assert codes == [code]


def test_an_exemption_that_has_ended_is_warned_of_and_exempts_nothing_case_31(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, CHAT_SAFETY, exemptions=EXEMPTIONS)

    policies, problems = check_folder(folder, now_ms=ms_of("2026-12-15T00:00:00Z"))

    assert policies is not None
    assert [(problem.level, problem.code) for problem in problems] == [("warning", "P044")]
    event = an_event(channel="red-team")
    assert judge_raw(policies, event, safety=0.1, at_ms=ms_of("2026-12-15T00:00:00Z")).verdict == "flag"


def test_doubled_and_unknown_keys_and_names_load_nothing_case_32(tmp_path: Path) -> None:
    twice = a_rule(more="mode: shadow")
    folder = a_folder(tmp_path, a_policy(twice, a_rule(), a_rule(name="other", more="excpet: [{role: member}]")))

    problems = problems_of(folder)

    assert [(problem.code, str(problem.span)) for problem in problems] == [
        ("P006", "policy-0.yaml:10:5"),
        ("P015", "policy-0.yaml:12:11"),
        ("P011", "policy-0.yaml:23:5"),
    ]
    assert "line 7" in problems[0].message
    assert "line 5" in problems[1].message
    with pytest.raises(PolicyError, match="3 errors"):
        load_policies(folder)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        (a_policy(a_rule("safety: &limit below 0.30")), "P005", "9:15"),
        (a_policy(a_rule("<<: {safety: below 0.30}")), "P005", "9:7"),
        (a_policy(a_rule("safety: !!python/object/apply:os.system [true]")), "P005", "9:15"),
        (a_policy() + "---\npolicy: other\n", "P005", "11:1"),
        (a_policy().replace("    about: Why", "\tabout: Why"), "P004", "6:1"),
    ],
)
def test_what_yaml_can_do_beyond_plain_values_is_refused_with_its_place_case_33(
    tmp_path: Path, text: str, code: str, place: str
) -> None:
    problem = problems_of(a_folder(tmp_path, text))[0]

    assert (problem.code, str(problem.span)) == (code, f"policy-0.yaml:{place}")


@pytest.mark.parametrize("phrase", ["below .30", "below 0,30", "below nan", "Below 0.3", "below 30%", "below 1e-1"])
def test_other_ways_to_write_a_comparison_name_the_accepted_ones_case_34(tmp_path: Path, phrase: str) -> None:
    problem = problems_of(a_folder(tmp_path, a_policy(a_rule(f"safety: {phrase}"))))[0]

    named = [each.removeprefix("or ") for each in problem.hint.rpartition("write ")[2].split(", ")]
    accepted = [found.comparison for each in named if (found := parse_phrase(each))]
    assert problem.code == "P030"
    assert accepted == [*COMPARISONS]


def test_no_is_norwegian_and_numbers_want_quotes_case_35(tmp_path: Path) -> None:
    norwegian = a_set(tmp_path / "a", a_policy(head="applies_to: {locale: [no]}"))
    number = problems_of(a_folder(tmp_path / "b", a_policy(head="applies_to: {tenant: 0123}")))

    assert outcomes_of(judge_raw(norwegian, an_event(locale="no"))) == {"unsafe-reply": "not matched"}
    assert [(problem.code, problem.hint) for problem in number] == [("P023", 'put it in quotes: "0123"')]


def test_only_what_can_change_a_decision_changes_the_snapshot_case_36(tmp_path: Path, policies: PolicySet) -> None:
    reordered = CHAT_SAFETY.replace(
        "flag: {severity: high, reason: unsafe_content}", "flag: {reason: unsafe_content, severity: high}"
    )
    reworded = reordered.replace("about: The reply is probably unsafe.", "about: Probably unsafe.  # reworded")
    tests = [f"tests_for: chat-safety\ntests:{A_TEST}"]
    with_test = a_folder(tmp_path / "a", reworded, tests=tests, exemptions=EXEMPTIONS)
    moved = a_set(tmp_path / "b", CHAT_SAFETY.replace("below 0.30", "below 0.31"), exemptions=EXEMPTIONS)

    same = load_policies(with_test)

    assert same.snapshot == policies.snapshot
    assert moved.snapshot != policies.snapshot
    assert len(moved.snapshot) == len("sha256:") + 64


def test_a_model_other_than_the_calibrated_one_is_refused_case_39(policies: PolicySet) -> None:
    assert policies.check_model(a_model()) == []

    with pytest.raises(PolicyError) as caught:
        policies.check_model(a_model(fingerprint="sha256:bbbb"))

    assert "measured with the fingerprint sha256:aaaa; the running model's is sha256:bbbb" in str(caught.value)


A_TEST = """
  - test: an unsafe reply is flagged
    given:
      event: {speaker: assistant, tenant: acme, channel: general}
      scores: {safety: 0.1, helpfulness: 3.0, correctness: 2.5, honesty: 0.6}
    expect: {verdict: flag, rules: {unsafe-reply: matched}}
"""


def test_a_test_that_names_an_unknown_rule_is_an_error_case_40(tmp_path: Path) -> None:
    test = A_TEST.replace("unsafe-reply: matched", "unsafe-replies: matched")

    codes = codes_of(a_folder(tmp_path, CHAT_SAFETY, tests=[f"tests_for: chat-safety\ntests:{test}"]))

    assert codes == ["P070"]
