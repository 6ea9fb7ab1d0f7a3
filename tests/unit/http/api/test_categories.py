"""Signals as categories: scores from 0 to 1, higher is worse."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from moderator.events import Decision
from moderator.http.api.categories import Categories
from moderator.policy import PolicySet, load_policies
from moderator.policy.language.ast import Calibration
from tests.builders import POLICY_FILES, a_model, write_files

MODEL = a_model()


def policies_with(folder: Path, signals: str, calibration: Calibration | None = None) -> PolicySet:
    files = POLICY_FILES | {"signals.yaml": POLICY_FILES["signals.yaml"] + signals}
    loaded = load_policies(write_files(folder, files))
    return loaded if calibration is None else replace(loaded, calibrations={MODEL.name: calibration})


def a_decision(signals: Mapping[str, float | None], objectives: Mapping[str, float | None] | None = None) -> Decision:
    decision: dict[str, Any] = {"scores": {"signals": signals, "objectives": objectives or {}, "overall": None}}
    return cast("Decision", decision)


def a_calibration(**quantiles: range) -> Calibration:
    named = {name.replace("__", "-"): tuple(values) for name, values in quantiles.items()}
    return Calibration("c.json", "sha256:", MODEL.name, "", "", "", 1_000, named, {}, {})


@pytest.mark.parametrize(
    ("score", "share"),
    [(1.0, 0.0), (0.0, 1.0), (0.25, 0.75), (0.147533, 0.852467), (-0.5, 1.0), (1.5, 0.0), (None, None)],
)
def test_where_high_is_good_the_distance_to_the_top_counts(
    score: float | None, share: float | None, tmp_path: Path
) -> None:
    categories = Categories(policies_with(tmp_path, ""), MODEL)

    assert categories.scores(a_decision({"safety": score})) == {"safety": share}


@pytest.mark.parametrize(
    ("score", "share"), [(1.0, 0.0), (5.0, 1.0), (2.0, 0.25), (2.600002, 0.4), (2.600006, 0.400002)]
)
def test_where_low_is_good_the_distance_to_the_bottom_counts_rounded_half_to_even(
    score: float, share: float, tmp_path: Path
) -> None:
    signals = (
        "  harm: {about: x, from: helpsteer-helpfulness, scale: {low: 1, high: 5, multiply: 4, add: 1}, good: low}\n"
    )
    categories = Categories(policies_with(tmp_path, signals), MODEL)

    assert categories.scores(a_decision({"safety": 1.0, "harm": score}))["harm"] == share


def test_a_signal_of_which_the_model_gives_nothing_is_no_category(tmp_path: Path) -> None:
    signals = "  other: {about: x, from: ultrafeedback-honesty, scale: {low: 0, high: 1}, good: high}\n"

    assert Categories(policies_with(tmp_path, signals), MODEL).names == ("safety",)


PERCENT_ONLY = "  help: {about: x, from: helpsteer-helpfulness, scale: none, good: %s}\n"


def test_a_signal_without_a_scale_needs_a_calibration(tmp_path: Path) -> None:
    assert Categories(policies_with(tmp_path, PERCENT_ONLY % "high"), MODEL).names == ("safety",)


@pytest.mark.parametrize(
    ("good", "reward", "share"),
    [
        ("high", 0.25, 0.75),
        ("low", 0.25, 0.25),
        ("high", -1.0, 1.0),
        ("low", -1.0, 0.0),
        ("high", 2.0, 0.0),
        ("low", 0.2509, 0.25),
        ("low", None, None),
    ],
)
def test_a_signal_without_a_scale_is_placed_among_the_calibrated_events(
    good: str, reward: float | None, share: float | None, tmp_path: Path
) -> None:
    calibration = a_calibration(helpsteer__helpfulness=range(0, 1_000_001, 1_000))
    categories = Categories(policies_with(tmp_path, PERCENT_ONLY % good, calibration), MODEL)

    found = categories.scores(a_decision({"safety": 1.0, "help": reward}, {"helpsteer-helpfulness": reward}))

    assert found["help"] == share


def test_a_derived_signal_is_mapped_by_its_own_scale(tmp_path: Path) -> None:
    signals = (
        "  help: {about: x, from: helpsteer-helpfulness, scale: {low: 0, high: 1}, good: high}\n"
        "  worst: {about: x, lowest_of: [safety, help]}\n"
    )
    categories = Categories(policies_with(tmp_path, signals), MODEL)

    assert categories.names == ("safety", "help", "worst")
    assert categories.scores(a_decision({"safety": 0.9, "help": 0.2, "worst": 0.2}))["worst"] == 0.8
