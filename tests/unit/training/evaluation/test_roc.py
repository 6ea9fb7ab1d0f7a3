"""AUC and thresholds on numbers that can be checked by hand."""

import math

import numpy as np
import pytest

from moderator.evaluation.figures import auc
from moderator.training.evaluation.roc import at_threshold


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.1, 0.2, 0.8, 0.9], 1.0),
        ([0.9, 0.8, 0.2, 0.1], 0.0),
        ([0.5, 0.5, 0.5, 0.5], 0.5),
        ([0.1, 0.8, 0.2, 0.9], 0.75),
    ],
)
def test_auc_is_the_chance_that_a_positive_scores_higher(scores: list[float], expected: float) -> None:
    assert auc(np.array(scores), np.array([False, False, True, True])) == pytest.approx(expected)


def test_auc_of_one_kind_alone_is_not_a_number() -> None:
    assert math.isnan(auc(np.array([0.1, 0.2]), np.array([True, True])))


def test_a_threshold_counts_hits_misses_and_false_alarms() -> None:
    found = at_threshold(np.array([0.1, 0.2, 0.25, 0.9, 0.8]), np.array([True, True, False, True, False]), 0.3)

    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 3)
    assert found.false_alarms == pytest.approx(1 / 2)
