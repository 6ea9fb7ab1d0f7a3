"""First folders for every purpose and kind of model, with every slip that can be made in them."""

from pathlib import Path

import pytest

from moderator.objectives import ModelOutputs
from moderator.policy import load_policies
from moderator.policy.authoring.test_tools.mutate import mutate
from moderator.policy.loader import check_folder
from moderator.policy.starting.first_folder import Purpose, first_folder
from moderator.policy.test_runner import run_tests, untested_rules

BOTH = ("beavertails-is_safe", "helpsteer-helpfulness")
NOW_MS = 1_796_083_200_000


@pytest.mark.parametrize("objectives", [BOTH, BOTH[:1], BOTH[1:], ("toxic", "obscene")], ids=len)
@pytest.mark.parametrize("purpose", ["messages", "replies", "both"])
def test_every_first_folder_is_right_and_its_tests_notice_every_slip(
    tmp_path: Path, purpose: Purpose, objectives: tuple[str, ...]
) -> None:
    for name, text in first_folder(purpose, objectives).files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    assert [str(problem) for problem in check_folder(tmp_path, now_ms=NOW_MS)[1]] == []
    policies = load_policies(tmp_path)
    assert [result.test.name for result in run_tests(policies) if result.mismatches] == []
    assert untested_rules(policies) == []
    assert objectives != BOTH or [mutant.change for mutant in mutate(policies).unnoticed] == []
    assert policies.check_outputs(ModelOutputs("the model", objectives, "raw")) == []
