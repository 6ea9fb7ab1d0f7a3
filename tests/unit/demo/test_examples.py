"""Which policies a command uses when none are named."""

from pathlib import Path

import pytest

from moderator.demo.examples import MODEL_WITH_SPAM, default_policies, demo_policies, example_policies, shows_spam
from moderator.policy import load_policies
from moderator.policy.authoring.model_outputs import read_outputs
from moderator.policy.loader import check_folder
from moderator.policy.test_runner import run_tests


def test_a_policy_folder_in_the_working_folder_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policies").mkdir()
    monkeypatch.chdir(tmp_path)

    assert default_policies().absolute() == tmp_path / "policies"


def test_without_one_the_examples_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert default_policies() == example_policies()


def test_the_examples_can_be_loaded_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert load_policies(example_policies()).snapshot.startswith("sha256:")


def test_the_demo_has_all_examples_and_the_policy_for_spam_and_its_model_suits_them(tmp_path: Path) -> None:
    examples, spam = load_policies(example_policies()), load_policies(example_policies() / "spam")

    joined = load_policies(demo_policies(tmp_path))

    assert shows_spam(tmp_path)
    assert [rule.id for rule in joined.rules] == [rule.id for rule in (*examples.rules, *spam.rules)]
    assert joined.settings == examples.settings
    assert check_folder(tmp_path)[1] == []
    assert len(joined.tests) == len(examples.tests) + len(spam.tests)
    assert [result.test.name for result in run_tests(joined) if result.mismatches] == []
    assert joined.check_outputs(read_outputs(str(MODEL_WITH_SPAM))) == []


def test_policies_of_ones_own_are_used_in_the_demo_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "copy").mkdir()
    monkeypatch.chdir(tmp_path)

    assert demo_policies(tmp_path / "copy") == tmp_path / "policies"
    assert list((tmp_path / "copy").iterdir()) == []
    assert not shows_spam(tmp_path / "policies")
