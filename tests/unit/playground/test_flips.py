from pathlib import Path

import pytest

from moderator.playground.flips import SHOWN, SupersededError, flips
from moderator.policy import PolicySet, load_policies
from tests.unit.backtest.decisions import USUAL, recorded, report_of, some_recorded
from tests.unit.policy.folders import a_folder, a_policy, a_rule


def policies(folder: Path, limit: float) -> PolicySet:
    return load_policies(a_folder(folder, a_policy(a_rule(f"safety: below {limit}"))))


@pytest.fixture
def now(tmp_path: Path) -> PolicySet:
    return policies(tmp_path / "now", 0.3)


@pytest.fixture
def edit(tmp_path: Path) -> PolicySet:
    return policies(tmp_path / "edit", 0.5)


def test_the_figures_are_those_of_a_backtest(now: PolicySet, edit: PolicySet) -> None:
    decisions = some_recorded(now, [nth / 100 for nth in range(100)])

    ours, backtests = flips(now, edit, decisions).record, report_of(now, edit, decisions).record

    for part in ("baseline", "candidate"):
        assert ours[part]["snapshot"] == backtests[part]["snapshot"]  # type: ignore[index]
    for part in ("fidelity", "flips", "rules", "groups"):
        assert ours[part] == backtests[part]


def test_examples_are_the_newest_of_each_kind_of_flip(now: PolicySet, edit: PolicySet) -> None:
    examples = flips(now, edit, some_recorded(now, [0.4] * (SHOWN + 5))).examples

    assert [each.event_id for each in examples] == [f"evt-{nth}" for nth in range(SHOWN + 4, 4, -1)]
    assert {(each.before, each.after) for each in examples} == {("allow", "flag")}


def test_a_rare_kind_of_flip_has_examples_beside_a_frequent_one(now: PolicySet, tmp_path: Path) -> None:
    turned = load_policies(a_folder(tmp_path / "turned", a_policy(a_rule("helpfulness: above 3.0"))))
    rare = recorded(now, 0.1, *USUAL[1:], id="rare")
    frequent = [recorded(now, 0.9, 0.9, 0.6, 0.6, id=f"evt-{nth}") for nth in range(1_500)]

    examples = flips(now, turned, [rare, *frequent]).examples

    assert [each.before for each in examples] == ["allow"] * SHOWN + ["flag"]
    assert examples[-1].event_id == "rare"


def test_figures_that_nobody_wants_any_more_are_given_up(now: PolicySet, edit: PolicySet) -> None:
    asked = []

    def is_wanted() -> bool:
        asked.append(1)
        return len(asked) < 3

    with pytest.raises(SupersededError):
        flips(now, edit, some_recorded(now, [0.4] * 500), is_wanted=is_wanted)

    assert len(asked) == 3
