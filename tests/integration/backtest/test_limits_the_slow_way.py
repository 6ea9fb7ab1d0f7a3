"""Sweeps against the slow way: write each limit into the folder, decide everything again, count."""

from pathlib import Path

import pytest

from moderator.policy import PolicySet
from tests.unit.backtest.decisions import report_of
from tests.unit.backtest.limits import BESIDE, COMPARISONS, a_rule_with, limit_of, some_events
from tests.unit.policy.folders import a_policy, a_set


@pytest.fixture
def baseline(tmp_path: Path) -> PolicySet:
    return a_set(tmp_path / "baseline", a_policy())


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("mode", ["live", "shadow"])
def test_each_limit_flags_what_a_folder_with_that_limit_flags(
    tmp_path: Path, baseline: PolicySet, comparison: str, mode: str
) -> None:
    candidate = a_set(tmp_path / "candidate", a_policy(a_rule_with(comparison, 0.4, mode), BESIDE))
    decisions = some_events(baseline)

    swept = limit_of(report_of(baseline, candidate, decisions, sweep="safety").limits)

    assert swept.is_swept
    for row in swept.rows[::8]:
        slow = a_set(tmp_path / f"{row.limit}", a_policy(a_rule_with(comparison, row.limit), BESIDE))
        assert row.flagged == report_of(baseline, slow, decisions).flips.flagged_after
