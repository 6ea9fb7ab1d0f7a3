"""The policies that people start from: they pass their tests, every slip is noticed, and they suit their models."""

from pathlib import Path

import pytest

from moderator.objectives import ARMORM_OBJECTIVES, BUILTIN, ModelOutputs
from moderator.policy import load_policies
from moderator.policy.authoring.model_outputs import read_outputs
from moderator.policy.authoring.test_tools.coverage import cover
from moderator.policy.authoring.test_tools.mutate import mutate
from moderator.policy.loader import check_folder
from moderator.policy.test_runner import run_tests, untested_rules, untimed_tests

EXAMPLES = Path(__file__).parents[3] / "policies"
FOLDERS = pytest.mark.parametrize("folder", [EXAMPLES, EXAMPLES / "armorm"], ids=["any model", "armorm"])
ARMORM = ModelOutputs("ArmoRM-Llama3-8B-v0.1", ARMORM_OBJECTIVES, "raw")
DECEMBER_MS = 1_796_083_200_000
"""2026-12-01, while the exemption lasts."""


@FOLDERS
def test_they_give_no_error_and_no_warning(folder: Path) -> None:
    assert check_folder(folder, now_ms=DECEMBER_MS)[1] == []


@FOLDERS
def test_their_tests_pass_show_all_and_notice_every_slip(folder: Path) -> None:
    policies = load_policies(folder)
    results = run_tests(policies)

    assert [result.test.name for result in results if result.mismatches] == []
    assert untimed_tests(policies) + untested_rules(policies) == []
    assert [one.rule.id for one in cover(policies, results) if not one.is_whole] == []
    assert [mutant.change for mutant in mutate(policies).unnoticed] == []


def test_they_suit_the_practice_model_and_armorm_alike() -> None:
    policies = load_policies(EXAMPLES)

    for outputs in (read_outputs(BUILTIN), ARMORM):
        assert policies.check_outputs(outputs) == []


def test_those_for_armorm_suit_it() -> None:
    assert load_policies(EXAMPLES / "armorm").check_outputs(ARMORM) == []


def test_every_kind_of_example_is_there() -> None:
    sets = [load_policies(folder) for folder in (EXAMPLES, EXAMPLES / "armorm")]
    rules = {rule.id: rule for policies in sets for rule in policies.rules}

    assert {
        "reply-safety/unsafe-reply",
        "message-safety/unsafe-message",
        "reply-quality/over-refusal",
        "reply-quality/low-helpfulness",
        "code-answers/poor-code",
    } <= rules.keys()
    assert {rule.mode for rule in rules.values()} == {"live", "shadow"}
    assert sets[1].exemptions


def test_the_default_ones_need_no_broker_time() -> None:
    assert not load_policies(EXAMPLES).uses_event_time
