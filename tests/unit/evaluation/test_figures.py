import math

import numpy as np
import pytest

from moderator.evaluation.figures import at_limit, auc, average_precision, ranking
from moderator.labels.rates import wilson

SCORES = np.array([0.1, 0.4, 0.35, 0.8])
ONES = np.array([False, False, True, True])


def test_the_auc_is_the_chance_that_a_1_scores_above_a_0_ties_half() -> None:
    assert auc(SCORES, ONES) == 0.75
    assert auc(np.array([0.5, 0.5]), np.array([True, False])) == 0.5
    assert math.isnan(auc(SCORES, np.ones(4, dtype=bool)))


def test_average_precision_is_the_mean_precision_over_the_rows_labelled_1() -> None:
    # flagged one by one from the highest score: right, wrong, right, wrong
    assert average_precision(SCORES, ONES) == pytest.approx((1 / 1 + 2 / 3) / 2)
    # rows of one score are flagged together
    assert average_precision(np.array([1.0, 1.0]), np.array([True, False])) == 0.5


def test_an_interval_holds_the_figure_and_is_wider_where_rows_belong_together() -> None:
    random = np.random.default_rng(4)
    ones = random.random(100) < 0.5
    scores = ones + random.normal(size=100)

    alone = ranking(scores, ones, [str(row) for row in range(100)])
    together = ranking(scores, ones, [str(row // 10) for row in range(100)])

    assert alone.auc_low is not None
    assert alone.auc_high is not None
    assert alone.auc is not None
    assert alone.auc_low < alone.auc < alone.auc_high
    assert alone == ranking(scores, ones, [str(row) for row in range(100)])
    assert together.auc == alone.auc
    assert together.auc_low != alone.auc_low


def test_one_side_alone_has_no_ranking() -> None:
    assert ranking(SCORES, np.zeros(4, dtype=bool), ["a"] * 4).auc is None


def test_shares_at_a_limit_have_wilsons_interval() -> None:
    flagged = np.array([True, True, True, False, False])
    is_bad = np.array([True, True, False, True, False])

    shares = at_limit(flagged, is_bad).shares

    assert shares["precision"] == pytest.approx(2 / 3)
    assert (shares["precision_low"], shares["precision_high"]) == wilson(2, 3)
    assert shares["recall"] == pytest.approx(2 / 3)
    assert shares["false_alarms"] == 0.5
    assert set(at_limit(flagged[:0], is_bad[:0]).shares.values()) == {None}
