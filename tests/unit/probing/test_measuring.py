import numpy as np
import pytest

from moderator.probing.measuring import limits, precise_limit, reliability

SCORES = np.array([-0.2, 0.05, 0.33, 0.38, 0.95, 1.4])
LABELS = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
ONES = LABELS >= 0.5


def test_scores_are_compared_with_labels_in_ten_bins_that_hold_what_is_beyond_too() -> None:
    found = reliability(SCORES, LABELS)

    assert [(each["from"], each["rows"]) for each in found["bins"]] == [(0.0, 2), (0.3, 2), (0.9, 2)]
    assert [each["mean_score"] for each in found["bins"]] == pytest.approx([-0.075, 0.355, 1.175])
    assert [each["mean_label"] for each in found["bins"]] == [0, 0.5, 1]
    assert found["mean_error"] == pytest.approx((0.075 + 0.145 + 0.175) / 3, abs=1e-6)


def test_a_limit_flags_what_scores_as_much_or_more() -> None:
    at_half = limits(SCORES, ONES)[4]

    assert (at_half["limit"], at_half["flagged"], at_half["precision"], at_half["recall"]) == (0.5, 2, 1, 0.666667)
    assert at_half["false_alarms"] == 0


def test_the_lowest_limit_whose_flags_are_right_nine_times_in_ten_is_found() -> None:
    found = precise_limit(SCORES, ONES)

    assert found is not None
    assert (found["limit"], found["recall"]) == (0.34, 1.0)
    assert precise_limit(SCORES, ~ONES) is None
