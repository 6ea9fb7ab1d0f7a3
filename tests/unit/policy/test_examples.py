"""The policies that people start from: they pass their tests, every slip is noticed, and they suit their models."""

from functools import cache
from pathlib import Path

import pytest

from moderator.demo.examples import MODEL_WITH_SPAM
from moderator.errors import PolicyError
from moderator.objectives import ARMORM_OBJECTIVES, BUILTIN, ModelOutputs
from moderator.policy import PolicySet, load_policies
from moderator.policy.authoring.model_outputs import read_outputs
from moderator.policy.loader import check_folder

EXAMPLES = Path(__file__).parents[3] / "policies"
FOLDERS = pytest.mark.parametrize(
    "folder", [EXAMPLES, EXAMPLES / "armorm", EXAMPLES / "spam"], ids=["any model", "armorm", "spam"]
)
ARMORM = ModelOutputs("ArmoRM-Llama3-8B-v0.1", ARMORM_OBJECTIVES, "raw")
DECEMBER_MS = 1_796_083_200_000
"""2026-12-01, while the exemption lasts."""


@cache
def loaded(folder: Path) -> PolicySet:
    return load_policies(folder)


@FOLDERS
def test_they_give_no_error_and_no_warning(folder: Path) -> None:
    assert check_folder(folder, now_ms=DECEMBER_MS)[1] == []


def test_they_suit_the_practice_model_and_armorm_alike() -> None:
    policies = loaded(EXAMPLES)

    for outputs in (read_outputs(BUILTIN), ARMORM):
        assert policies.check_outputs(outputs) == []


def test_those_for_armorm_suit_it() -> None:
    assert loaded(EXAMPLES / "armorm").check_outputs(ARMORM) == []


def test_those_for_spam_suit_the_practice_model_with_its_probe_and_no_model_without_one() -> None:
    policies = loaded(EXAMPLES / "spam")

    assert policies.check_outputs(read_outputs(str(MODEL_WITH_SPAM))) == []
    with pytest.raises(PolicyError, match='spam is read from "spam", which the model "builtin" does not have'):
        policies.require_outputs(read_outputs(BUILTIN))


def test_every_kind_of_example_is_there() -> None:
    sets = [loaded(folder) for folder in (EXAMPLES, EXAMPLES / "armorm")]
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
    assert not loaded(EXAMPLES).uses_event_time
