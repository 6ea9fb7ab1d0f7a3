"""Which policies a command uses when none are named."""

from pathlib import Path

import pytest

from moderator.demo.examples import default_policies, example_policies
from moderator.policy import load_policies


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
