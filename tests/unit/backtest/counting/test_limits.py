"""What each limit tried would flag; `tests/integration/backtest` compares a sweep with the slow way."""

from pathlib import Path

import pytest

from moderator.policy import PolicySet
from tests.unit.backtest.decisions import USUAL, recorded, report_of, some_labels, some_recorded
from tests.unit.backtest.limits import COMPARISONS, a_rule_with, limit_of, some_events
from tests.unit.policy.folders import a_policy, a_rule, a_set


@pytest.fixture
def baseline(tmp_path: Path) -> PolicySet:
    return a_set(tmp_path / "baseline", a_policy())


def test_no_limit_flags_what_is_outside_a_rules_rollout(tmp_path: Path, baseline: PolicySet) -> None:
    candidate = a_set(tmp_path / "candidate", a_policy(a_rule("safety: below 0.4", more="rollout: 25% of users")))
    decisions = [recorded(baseline, 0.2, *USUAL[1:], id=f"evt-{nth}", user=f"user-{nth}") for nth in range(40)]

    report = report_of(baseline, candidate, decisions, sweep="safety")

    flagged = {row.limit: row.flagged for row in limit_of(report.limits).rows}
    assert 0 < report.flips.flagged_after < 40
    assert (flagged[0.4], flagged[1.0], flagged[0.1]) == (report.flips.flagged_after, report.flips.flagged_after, 0)


def test_a_comparison_under_unless_is_swept_the_other_way_round(tmp_path: Path, baseline: PolicySet) -> None:
    candidate = a_set(tmp_path / "candidate", a_policy(a_rule_with("below", 0.8)))
    decisions = some_events(baseline)

    swept = limit_of(report_of(baseline, candidate, decisions, sweep="correctness").limits, "correctness")

    assert swept.part == "unless"
    flagged = [row.flagged or 0 for row in swept.rows]
    assert flagged == sorted(flagged)
    assert flagged[0] < flagged[-1]


def test_limits_of_both_sets_are_among_those_tried(tmp_path: Path, baseline: PolicySet) -> None:
    candidate = a_set(tmp_path / "candidate", a_policy(a_rule("safety: below 0.4125")))

    (limit,) = report_of(baseline, candidate, some_recorded(baseline, [0.1, 0.9])).limits

    assert (limit.baseline_limit, limit.candidate_limit) == (0.3, 0.4125)
    assert {0.3, 0.4125} <= {row.limit for row in limit.rows}
    assert all(row.flagged is None for row in limit.rows)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_at_the_limits_of_both_sets_a_sweep_says_what_the_flips_say(tmp_path: Path, comparison: str) -> None:
    before = a_set(tmp_path / "before", a_policy(a_rule(f"safety: {comparison} 0.300250")))
    after = a_set(tmp_path / "after", a_policy(a_rule(f"safety: {comparison} 0.412500")))
    decisions = some_recorded(before, [0.3, 0.3002, 0.30025, 0.3003, 0.412, 0.4121, 0.412499, 0.4125, 0.4128, 0.413])

    report = report_of(before, after, decisions, sweep="safety")

    flagged = {row.limit: row.flagged for row in report.limits[0].rows}
    assert (flagged[0.30025], flagged[0.4125]) == (report.flips.flagged_before, report.flips.flagged_after)


@pytest.mark.parametrize("phrase", ["in the lowest 2%", "in the highest 2%"])
def test_so_it_does_at_a_percent_limit(tmp_path: Path, baseline: PolicySet, phrase: str) -> None:
    candidate = a_set(tmp_path / "candidate", a_policy(a_rule(f"honesty: {phrase}")))
    honesties = [0.019, 0.0195, 0.02, 0.0205, 0.021, 0.979, 0.9795, 0.98, 0.9805, 0.981]
    decisions = [recorded(baseline, *USUAL[:3], honesty) for honesty in honesties]

    report = report_of(baseline, candidate, decisions, sweep="honesty")

    (limit,) = report.limits
    flagged = {row.limit: row.flagged for row in limit.rows}
    assert limit.candidate_limit is not None
    assert flagged[limit.candidate_limit] == report.flips.flagged_after == 3


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_a_bar_holds_the_scores_from_its_low_end_to_below_its_high_end(tmp_path: Path, comparison: str) -> None:
    policies = a_set(tmp_path, a_policy(a_rule(f"safety: {comparison} 0.5")))

    (limit,) = report_of(policies, policies, some_recorded(policies, [0.2999, 0.3, 0.3001])).limits

    assert {(bar.low, bar.events) for bar in limit.bars if bar.events} == {(0.275, 1), (0.3, 2)}


def test_precision_and_recall_come_from_labelled_events_without_a_sweep(tmp_path: Path, baseline: PolicySet) -> None:
    candidate = a_set(tmp_path / "candidate", a_policy(a_rule("safety: below 0.50")))
    labels = some_labels(flag=range(40), allow=range(40, 80))
    decisions = some_recorded(baseline, [nth / 100 for nth in range(100)])

    (limit,) = report_of(baseline, candidate, decisions, labels=labels).limits

    rows = {row.limit: row for row in limit.rows}
    assert (rows[0.4].precision.share, rows[0.4].recall.share) == (1.0, 1.0)
    assert (rows[0.5].precision.share, rows[0.5].recall.share) == (0.8, 1.0)
    assert (rows[0.2].precision.share, rows[0.2].recall.share) == (None, 0.5)


def test_bars_hold_every_score_once_and_those_beyond_the_scale_too(baseline: PolicySet) -> None:
    decisions = some_recorded(baseline, [-3.0, 0.0, 0.5, 0.999, 1.0, 7.0])

    (limit,) = report_of(baseline, baseline, decisions).limits

    assert sum(bar.events for bar in limit.bars) == 6
    assert (limit.bars[0].low, limit.bars[0].events, limit.bars[-1].high, limit.bars[-1].events) == (0, 2, 1, 3)


def test_a_signal_without_a_scale_is_drawn_where_its_scores_lie(tmp_path: Path, baseline: PolicySet) -> None:
    candidate = a_set(tmp_path / "candidate", a_policy(a_rule("honesty: in the lowest 2%")))
    decisions = [recorded(baseline, 0.9, 0.7, 0.6, 0.2 + nth / 1_000) for nth in range(400)]

    (limit,) = report_of(baseline, candidate, decisions).limits

    assert limit.candidate_limit == 0.02
    assert limit.baseline_limit is None
    assert limit.bars[0].low <= 0.02
    assert 0.59 < limit.bars[-1].high < 0.7
