"""The policies that people start from, with every slip that can be made in them."""

from pathlib import Path

import pytest

from moderator.policy import load_policies
from moderator.policy.analysis.untimed import untimed_tests
from moderator.policy.authoring.test_tools.coverage import cover
from moderator.policy.authoring.test_tools.mutate import mutate
from moderator.policy.test_runner import run_tests, untested_rules

EXAMPLES = Path(__file__).parents[3] / "policies"
FOLDERS = pytest.mark.parametrize(
    "folder", [EXAMPLES, EXAMPLES / "armorm", EXAMPLES / "spam"], ids=["any model", "armorm", "spam"]
)


@FOLDERS
def test_their_tests_pass_show_all_and_notice_every_slip(folder: Path) -> None:
    policies = load_policies(folder)
    results = run_tests(policies)

    assert [result.test.name for result in results if result.mismatches] == []
    assert untimed_tests(policies) + untested_rules(policies) == []
    assert [one.rule.id for one in cover(policies, results) if not one.is_whole] == []
    assert [mutant.change for mutant in mutate(policies).unnoticed] == []
