"""What a classifier's outputs mean, by its config and by `MODERATOR_MODEL__SCALE`."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from moderator.errors import ConfigurationError
from moderator.events import OutputScale
from moderator.scoring.checkpoint.configs.output_scale import (
    Normalisation,
    read_normalisation,
    read_scale,
)


@pytest.mark.parametrize("scale", ["raw", "sigmoid", "softmax"])
@pytest.mark.parametrize("problem_type", [None, "regression", "multi_label_classification", "ranking"])
def test_the_setting_wins_over_the_config(scale: OutputScale, problem_type: str | None) -> None:
    assert read_scale({"problem_type": problem_type}, 3, scale, "config.json") == scale


@pytest.mark.parametrize("scale", ["raw", "sigmoid"])
def test_one_label_may_be_a_reward_or_a_probability(scale: OutputScale) -> None:
    assert read_scale({}, 1, scale, "config.json") == scale


def test_one_label_cannot_exclude_others() -> None:
    with pytest.raises(ConfigurationError, match="`MODERATOR_MODEL__SCALE`, but there is one label, whose probability"):
        read_scale({}, 1, "softmax", "config.json")


def test_one_label_without_a_problem_type_is_a_reward() -> None:
    assert read_scale({}, 1, None, "config.json") == "raw"


def test_two_labels_without_a_problem_type_exclude_one_another_and_a_line_says_so() -> None:
    with capture_logs() as lines:
        assert read_scale({}, 2, None, "config.json") == "softmax"

    assert [(line["event"], line["scale"]) for line in lines] == [("scale_assumed", "softmax")]


def test_more_labels_without_a_problem_type_are_refused() -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"config.json: 3 labels, but no `problem_type`: say MODERATOR_MODEL__SCALE=softmax \(labels exclude one "
        r"another\) or sigmoid \(each on its own\)$",
    ):
        read_scale({}, 3, None, "config.json")


@pytest.mark.parametrize(("mean", "std"), [(1.5, 2), ([1.5], [2.0])])
def test_rewards_are_normalised_where_openrlhf_says_so(mean: object, std: object) -> None:
    fields = {"normalize_reward": True, "mean": mean, "std": std}

    assert read_normalisation(fields, "config.json") == Normalisation(1.5, 2.0)


def test_a_mean_and_std_that_are_not_applied_are_named() -> None:
    with capture_logs() as lines:
        assert read_normalisation({"mean": 1.5, "std": 2.0}, "config.json") == Normalisation()

    assert [line["event"] for line in lines] == ["rewards_not_normalised"]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"std": 0}, "`std` is 0.0; rewards are divided by it, so it must be above 0"),
        ({"std": [-1.0]}, "`std` is -1.0; rewards"),
        ({"mean": [1, 2]}, "`mean` must be a number"),
        ({"mean": "1"}, "`mean` must be a number"),
        ({"std": True}, "`std` must be a number"),
        ({"std": float("nan")}, "`std` must be a number"),
    ],
)
def test_a_wrong_mean_or_std_is_named(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_normalisation({"normalize_reward": True, **fields}, "config.json")

    assert str(raised.value).startswith(f"config.json: {problem}")
