"""Calibrations and the percent phrases that go by them."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from moderator.errors import PolicyError
from moderator.policy import PolicySet, load_policies
from moderator.policy.language.bounds import true_percent, typical_micro
from tests.unit.policy.folders import (
    CALIBRATION,
    MODEL,
    OBJECTIVES,
    SIGNALS,
    a_calibration,
    a_folder,
    a_model,
    a_policy,
    a_rule,
    a_set,
    an_event,
    codes_of,
    judge_raw,
    problems_of,
    result_of,
)

RULE = "chat-safety/unsafe-reply"
HONESTY = "ultrafeedback-honesty"


def with_honesty(quantiles: list[float]) -> str:
    return json.dumps(a_calibration(quantiles=dict.fromkeys(OBJECTIVES, quantiles)))


def holds(policies: PolicySet, **rewards: Any) -> bool | None:
    return result_of(judge_raw(policies, **rewards), RULE)["conditions"][0]["holds"]


def test_the_highest_share_begins_exactly_at_its_quantile(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule("honesty: in the highest 2%")))

    assert holds(policies, honesty=0.98) is True
    assert holds(policies, honesty=0.979999) is False


def test_a_scale_that_turns_the_ends_round_turns_the_quantiles_round_too(tmp_path: Path) -> None:
    signals = SIGNALS + (
        "  toxicity:\n"
        "    {about: x, from: ultrafeedback-honesty, scale: {multiply: -1, add: 1, low: 0, high: 1}, good: low}\n"
    )
    policies = a_set(tmp_path, a_policy(a_rule("toxicity: in the highest 10%")), signals=signals)

    condition = result_of(judge_raw(policies, honesty=0.05), RULE)["conditions"][0]

    assert (condition["score"], condition["holds"], condition["margin"]) == (0.95, True, 0.05)
    assert holds(policies, honesty=0.1) is True
    assert holds(policies, honesty=0.100001) is False


POINTS = "{multiply: 5, add: -0.5, low: 0, high: 4, unit: points}"


@pytest.mark.parametrize("scale", [POINTS, "{multiply: 1.25, add: -0.125, low: 0, high: 1}"])
def test_a_derived_signal_goes_by_its_own_quantiles_on_whatever_scale(tmp_path: Path, scale: str) -> None:
    signals = SIGNALS.replace(POINTS, scale)
    policies = a_set(tmp_path, a_policy(a_rule("usefulness: in the lowest 12.5%")), signals=signals)

    assert holds(policies, helpfulness=0.125) is True
    assert holds(policies, helpfulness=0.125001) is False


def test_a_score_of_more_than_six_decimals_still_meets_its_own_quantile(tmp_path: Path) -> None:
    signals = SIGNALS.replace(POINTS, "{multiply: 2.5, low: 0, high: 2.5}")
    quantiles = [0.3 * rank / 700 if rank < 700 else 0.393555 for rank in range(1001)]
    derived = {"least_of": ["helpsteer-helpfulness", "helpsteer-correctness"], "quantiles": quantiles}
    policies = a_set(
        tmp_path,
        a_policy(a_rule("usefulness: in the highest 10%")),
        signals=signals,
        calibration=json.dumps(a_calibration(derived={"usefulness": derived})),
    )

    assert holds(policies, helpfulness=0.393555, correctness=0.9) is True
    assert holds(policies, helpfulness=0.393554, correctness=0.9) is False


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("lowest_of", "highest_of"),
        ("from: helpsteer-correctness", "from: ultrafeedback-honesty"),
        ("multiply: 5, add: -0.5, low: 0, high: 4", "multiply: -5, add: 4.5, low: 0, high: 4"),
    ],
)
def test_a_derived_signal_that_is_another_reward_by_now_must_be_calibrated_again(
    tmp_path: Path, before: str, after: str
) -> None:
    signals = SIGNALS.replace(before, after)
    folder = a_folder(tmp_path, a_policy(a_rule("usefulness: in the lowest 2%")), signals=signals)

    assert signals != SIGNALS
    assert codes_of(folder) == ["P037"]


def test_ties_catch_more_than_the_share_says_and_check_says_so(tmp_path: Path) -> None:
    grainy = [round(rank / 1000, 1) for rank in range(1001)]
    folder = a_folder(tmp_path, a_policy(a_rule("honesty: in the lowest 2%")), calibration=with_honesty(grainy))
    policies = a_set(tmp_path, a_policy(a_rule("honesty: in the lowest 2%")), calibration=with_honesty(grainy))

    (condition,) = policies.rules[0].conditions

    assert true_percent(condition, policies.calibrations[MODEL]) == Fraction("4.9")
    assert policies.true_shares() == ["honesty in the lowest 2%: 4.9% of 120,000 events (calibration/armorm.json)"]
    assert codes_of(folder) == ["P039"]


def test_a_tenth_of_a_percent_more_than_the_share_says_is_as_exact_as_shares_are(tmp_path: Path) -> None:
    tied = [rank / 1000 for rank in range(1001)]
    tied[21] = tied[20]
    folder = a_folder(tmp_path, a_policy(a_rule("honesty: in the lowest 2%")), calibration=with_honesty(tied))

    assert load_policies(folder).true_shares()[0].startswith("honesty in the lowest 2%: 2.1% of ")
    assert codes_of(folder) == []


def test_the_true_share_without_ties_is_the_share(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule("any: [honesty: in the lowest 2%, safety: in the highest 0.3%]")))
    calibration = policies.calibrations[MODEL]

    shares = [true_percent(condition, calibration) for condition in policies.rules[0].conditions]

    assert shares == [2, Fraction("0.3")]


def test_a_typical_score_is_the_median(tmp_path: Path) -> None:
    policies = a_set(tmp_path)

    assert typical_micro(policies.signals[0], policies.calibrations[MODEL]) == 500_000


@pytest.mark.parametrize(("safety", "borderline"), [(0.29, True), (0.289999, False), (0.31, True), (0.310001, False)])
def test_a_margin_within_the_measured_noise_is_borderline(
    tmp_path: Path,
    safety: float,
    borderline: bool,  # noqa: FBT001 - a column of the table
) -> None:
    calibration = json.dumps(a_calibration(noise={"beavertails-is_safe": 0.01}))
    policies = a_set(tmp_path, calibration=calibration)

    condition = result_of(judge_raw(policies, safety=safety), RULE)["conditions"][0]

    assert condition["borderline"] is borderline


def test_noise_is_put_on_the_scale_of_the_signal(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule("usefulness: below 1.0")))

    near, far = (
        result_of(judge_raw(policies, helpfulness=raw), RULE)["conditions"][0]["borderline"] for raw in (0.29, 0.28)
    )

    assert (near, far) == (True, False)


@pytest.mark.parametrize(("safety", "borderline"), [(0.299998, False), (0.299999, True), (0.300001, True)])
def test_noise_is_put_on_the_scale_without_making_it_larger(
    tmp_path: Path,
    safety: float,
    borderline: bool,  # noqa: FBT001 - a column of the table
) -> None:
    half = SIGNALS.replace("scale: {low: 0, high: 1}", "scale: {multiply: 0.5, low: 0, high: 1}")
    calibration = json.dumps(a_calibration(noise={"beavertails-is_safe": 0.000003}))
    policies = a_set(tmp_path, signals=half, calibration=calibration)

    condition = result_of(judge_raw(policies, safety=2 * safety), RULE)["conditions"][0]

    assert condition["borderline"] is borderline


def test_a_folder_may_hold_calibrations_of_several_models(tmp_path: Path) -> None:
    other = a_calibration(model={"name": "other", "fingerprint": "sha256:cccc", "dtype": "float32"})
    other["quantiles"] = {objective: [rank / 2000 for rank in range(1001)] for objective in OBJECTIVES}
    signals = SIGNALS.replace("signals:", "  other: calibration/other.json\nsignals:", 1)
    folder = a_folder(tmp_path, a_policy(a_rule("honesty: in the lowest 2%")), signals=signals)
    (folder / "calibration" / "other.json").write_text(json.dumps(other))
    policies = a_set(tmp_path, a_policy(a_rule("honesty: in the lowest 2%")), signals=signals)
    event_time_ms, rewards = 0, (0.9, 0.7, 0.6, 0.015)

    by_first, by_other = (
        policies.bind(OBJECTIVES, model).decide(an_event(), rewards, event_time_ms).verdict
        for model in (MODEL, "other")
    )

    assert (by_first, by_other) == ("flag", "allow")
    assert policies.check_model(a_model(name="other", fingerprint="sha256:cccc", dtype="float32")) == []


def test_a_model_without_a_calibration_suits_only_policies_without_percent_phrases(tmp_path: Path) -> None:
    plain = a_set(tmp_path / "a")
    percent = a_set(tmp_path / "b", a_policy(a_rule("honesty: in the lowest 2%", mode="shadow")))
    off = a_set(tmp_path / "c", a_policy(a_rule(), a_rule("honesty: in the lowest 2%", name="b", mode="off")))
    unknown = a_model(name="unknown", fingerprint="sha256:dddd")

    assert plain.check_model(unknown) == []
    assert off.check_model(unknown) == []
    with pytest.raises(PolicyError, match='needs a calibration for the model "unknown"'):
        percent.check_model(unknown)
    with pytest.raises(PolicyError, match="needs a calibration"):
        percent.bind(OBJECTIVES, "unknown")


def test_another_framing_is_another_calibration(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule("honesty: in the lowest 2%")))

    with pytest.raises(PolicyError, match="measured with the framing reply/1; the running model's is reply/2"):
        policies.check_model(a_model(framing="reply/2"))


def test_another_number_format_is_only_warned_of(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule("honesty: in the lowest 2%")))

    assert [warning.code for warning in policies.check_model(a_model(dtype="float32"))] == ["P063"]


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"model": None},
        {"model": {"name": MODEL, "fingerprint": "", "dtype": "float32"}},
        {"framing": 1},
        {"events": 999},
        {"events": True},
        {"quantiles": []},
        {"quantiles": {HONESTY: [0.5]}},
        {"quantiles": {HONESTY: [0.5] * 1000 + [0.4]}},
        {"quantiles": {HONESTY: [0.5] * 1000 + ["1"]}},
        {"quantiles": {HONESTY: [0.5] * 1000 + [True]}},
        {"quantiles": {HONESTY: [0.5] * 1000 + [1e300]}},
        {"derived": {"usefulness": {"quantiles": [0.5] * 1001}}},
        {"derived": {"usefulness": {"least_of": [1], "quantiles": [0.5] * 1001}}},
        {"noise": {HONESTY: -0.1}},
        {"noise": {HONESTY: "much"}},
    ],
)
def test_a_calibration_that_cannot_be_right_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert codes_of(a_folder(tmp_path, calibration=json.dumps(a_calibration(**changes)))) == ["P040"]


@pytest.mark.parametrize("content", ["", "{", "[]", "1", '{"format": NaN}', "[" * 100_000, "\udcff"])
def test_what_is_no_calibration_at_all_is_refused(tmp_path: Path, content: str) -> None:
    folder = a_folder(tmp_path)
    (folder / "calibration" / "armorm.json").write_bytes(content.encode("utf-8", "surrogateescape"))

    assert codes_of(folder) == ["P040"]


@pytest.mark.parametrize("name", ["../armorm.json", "/etc/passwd", "calibration/../settings.yaml", "settings.yaml"])
def test_a_calibration_lies_in_its_own_folder(tmp_path: Path, name: str) -> None:
    folder = a_folder(tmp_path, signals=SIGNALS.replace("calibration/armorm.json", name))

    assert codes_of(folder) == ["P040"]


def test_a_file_too_large_for_a_calibration_is_not_read(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    (folder / "calibration" / "armorm.json").write_bytes(b" " * 4_000_001)

    (problem,) = problems_of(folder)

    assert (problem.code, "over 4 MB" in problem.message) == ("P040", True)


def test_quantiles_noise_and_fingerprint_are_part_of_the_snapshot_and_its_layout_is_not(tmp_path: Path) -> None:
    before = a_set(tmp_path / "a")

    spread = a_set(tmp_path / "b", calibration=with_honesty([rank / 1001 for rank in range(1001)]))
    noisy = a_set(tmp_path / "c", calibration=json.dumps(a_calibration(noise={HONESTY: 0.5})))
    laid_out = a_set(tmp_path / "d", calibration=json.dumps(json.loads(CALIBRATION), indent=1, sort_keys=True))

    assert len({before.snapshot, spread.snapshot, noisy.snapshot}) == 3
    assert laid_out.snapshot == before.snapshot


def test_a_signal_s_calibrated_events_are_cut_into_ten_equal_parts_by_score(tmp_path: Path) -> None:
    signals = SIGNALS + (
        "  toxicity:\n"
        "    {about: x, from: ultrafeedback-honesty, scale: {multiply: -1, add: 1, low: 0, high: 1}, good: low}\n"
    )
    policies = a_set(tmp_path, signals=signals)

    cuts = policies.score_cuts(MODEL)

    assert cuts["toxicity"] == cuts["safety"] == tuple(tenth / 10 for tenth in range(1, 10))
    assert cuts["usefulness"] == tuple(tenth / 2 - 0.5 for tenth in range(1, 10))
    assert policies.score_cuts("another model") == {}
