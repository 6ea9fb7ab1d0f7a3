from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderator.policy.language.comparisons import COMPARISONS
from moderator.policy.language.scale import Scale, micro_from, show
from tests.unit.policy.folders import (
    SIGNALS,
    a_folder,
    a_policy,
    a_rule,
    a_set,
    codes_of,
    judge_raw,
    problems_of,
    result_of,
)


@given(st.floats(-1000, 1000) | st.integers(-128_000, 128_000).map(lambda n: n / 128))
def test_a_reward_is_rounded_once_half_to_even(reward: float) -> None:
    assert micro_from(reward) == int((Decimal(reward) * 10**6).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


@given(
    st.sampled_from(["below", "at most", "at least", "above"]),
    st.decimals(-5, 5, places=6),
    st.sampled_from(["5", "-1", "0.3", "1", "-2.5"]),
    st.integers(-2_000_000, 2_000_000),
)
def test_bounds_in_whole_millionths_agree_with_exact_fractions(
    words: str, limit: Decimal, multiply: str, micro: int
) -> None:
    scale = Scale(Fraction(multiply), Fraction("-0.5"))
    score = scale.score_of(micro)
    holds = {
        "below": score < Fraction(limit),
        "at most": score <= Fraction(limit),
        "at least": score >= Fraction(limit),
        "above": score > Fraction(limit),
    }

    comparison = next(each for each in COMPARISONS if each.words == words)

    least, greatest = comparison.bounds(scale.micro_of(Fraction(limit)), is_reversed=scale.is_reversed)

    assert (least <= micro <= greatest) is comparison.holds(score, Fraction(limit)) is holds[words]


def test_a_scale_may_turn_an_objective_round(tmp_path: Path) -> None:
    risk = (
        "  risk: {about: Risk, from: beavertails-is_safe, scale: {multiply: -1, add: 1, low: 0, high: 1}, good: low}\n"
    )
    policies = a_set(tmp_path, a_policy(a_rule("risk: above 0.70")), signals=SIGNALS + risk)

    judgement = judge_raw(policies, safety=0.2)

    condition = result_of(judgement, "chat-safety/unsafe-reply")["conditions"][0]
    assert (condition["score"], condition["holds"], condition["margin"]) == (0.8, True, 0.1)
    assert judge_raw(policies, safety=0.3).verdict == "allow"


@pytest.mark.parametrize(
    ("reward", "cause"), [(-0.5, None), (-0.500001, "implausible"), (1.5, None), (1.500001, "implausible")]
)
def test_scores_outside_the_plausible_range_are_missing(tmp_path: Path, reward: float, cause: str | None) -> None:
    signals = SIGNALS.replace("good: high}", "good: high, plausible: {low: -0.5, high: 1.5}}", 1)
    policies = a_set(tmp_path, signals=signals)

    judgement = judge_raw(policies, safety=reward)

    condition = result_of(judgement, "chat-safety/unsafe-reply")["conditions"][0]
    assert condition.get("cause") == cause
    assert (judgement.signals["safety"] is None) is (cause is not None)


def test_missing_is_true_on_absence_and_false_on_a_score(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule("safety: missing")))

    absent, present = judge_raw(policies, safety=None), judge_raw(policies, safety=0.1)

    assert (absent.verdict, absent.reasons, absent.status) == ("flag", ["unsafe_content"], "degraded")
    assert (present.verdict, present.status) == ("allow", "scored")


@pytest.mark.parametrize(
    ("phrase", "margin"), [("below 0.30", 0.1), ("at most 0.1", -0.1), ("at least 0.10", 0.1), ("above 0.5", -0.3)]
)
def test_the_margin_is_positive_where_the_comparison_holds(tmp_path: Path, phrase: str, margin: float) -> None:
    policies = a_set(tmp_path, a_policy(a_rule(f"safety: {phrase}")))

    condition = result_of(judge_raw(policies, safety=0.2), "chat-safety/unsafe-reply")["conditions"][0]

    assert (condition["margin"], condition["holds"]) == (margin, margin > 0)


@pytest.mark.parametrize("scale", ["{low: 1, high: 1}", "{low: 0, high: 1, multiply: 0}"])
def test_an_impossible_scale_is_an_error(tmp_path: Path, scale: str) -> None:
    signals = SIGNALS.replace("{low: 0, high: 1}", scale, 1)

    assert codes_of(a_folder(tmp_path, signals=signals)) == ["P034"]


@pytest.mark.parametrize(("number", "text"), [("0.30", "0.3"), ("-0", "0"), ("4", "4"), ("0.000001", "0.000001")])
def test_a_number_is_shown_as_people_write_it(number: str, text: str) -> None:
    assert show(Fraction(number)) == text


@pytest.mark.parametrize(("plausible", "found"), [("{low: 4.5, high: 9}", ["P034"]), ("{low: 4, high: 9}", [])])
def test_a_plausible_range_beside_the_scale_is_an_error(tmp_path: Path, plausible: str, found: list[str]) -> None:
    signals = SIGNALS.replace("low: 0, high: 4}", f"low: 0, high: 4}}, plausible: {plausible}")

    assert sorted(set(codes_of(a_folder(tmp_path, signals=signals)))) == found


@pytest.mark.parametrize("multiply", ["5", "0.0001"])
def test_a_plausible_range_that_no_reward_can_reach_is_an_error(tmp_path: Path, multiply: str) -> None:
    scale = f"{{multiply: {multiply}, low: 0, high: 4}}"
    ranges = {"5": "{low: 0.000001, high: 0.000004}", "0.0001": "{low: 1, high: 4}"}
    signals = SIGNALS.replace("{low: 0, high: 1}, good: high", f"{scale}, good: high, plausible: {ranges[multiply]}", 1)

    (problem,) = problems_of(a_folder(tmp_path, signals=signals))

    assert (problem.code, problem.hint) == ("P034", "fix the plausible range or the scale")
