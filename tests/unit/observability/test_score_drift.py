"""How far scores have moved from those of the calibration."""

from math import log

import pytest

from moderator.observability.score_drift import ENOUGH, KEPT, ScoreDrift

CUTS = tuple(tenth / 10 for tenth in range(1, 10))


def followed(*scores: float, cuts: tuple[float, ...] = CUTS) -> ScoreDrift:
    drift = ScoreDrift()
    drift.follow({"safety": cuts})
    drift.observe([{"safety": score} for score in scores])
    return drift


def spread(count: int) -> list[float]:
    """As many scores in each tenth as in any other."""
    return [(at % 10) / 10 + 0.05 for at in range(count)]


def test_scores_like_those_of_the_calibration_have_not_moved() -> None:
    assert followed(*spread(ENOUGH)).index("safety") == pytest.approx(0)


def test_the_index_sums_over_ten_parts() -> None:
    low_half = [score / 2 for score in spread(ENOUGH)]  # five parts hold a fifth each, five hold nothing

    expected = 5 * (0.2 - 0.1) * log(0.2 / 0.1) + 5 * (0.0001 - 0.1) * log(0.0001 / 0.1)
    assert followed(*low_half).index("safety") == pytest.approx(expected)


def test_below_a_thousand_decisions_there_is_no_index() -> None:
    drift = followed(*[0.05] * (ENOUGH - 1))
    before = drift.index("safety")

    drift.observe([{"safety": 0.05}])

    assert before == 0
    assert drift.index("safety") > 1


def test_only_the_latest_5000_count() -> None:
    drift = followed(*[0.05] * KEPT)

    drift.observe([{"safety": score} for score in spread(KEPT)])

    assert drift.index("safety") == pytest.approx(0)


def test_a_score_that_many_calibrated_events_had_counts_evenly_for_all_its_parts() -> None:
    cuts = (0.0, 0.0, 0.0, 0.0, 0.2, 0.4, 0.6, 0.8, 0.9)  # 45 in 100 calibrated events had 0

    alike = followed(*[0.0] * 450, *[0.1] * 50, *[0.3, 0.5, 0.7, 0.85, 0.95] * 100, cuts=cuts)

    assert alike.index("safety") < 0.02


def test_a_signal_without_a_score_is_left_out_and_an_unknown_one_has_no_index() -> None:
    drift = followed(*[0.05] * (ENOUGH - 1))

    drift.observe([{"safety": None}, {"helpfulness": 0.5}])

    assert (drift.index("safety"), drift.index("helpfulness")) == (0, 0)


def test_an_edit_that_keeps_a_calibration_keeps_what_was_observed() -> None:
    drift = followed(*[0.05] * ENOUGH)

    drift.follow({"safety": CUTS, "helpfulness": CUTS})
    kept = drift.index("safety")
    drift.follow({"safety": (*CUTS[:-1], 0.95)})

    assert kept > 1
    assert drift.index("safety") == 0
