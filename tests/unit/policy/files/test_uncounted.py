"""Files that look as if they were part of a folder and are not."""

from pathlib import Path

import pytest

from moderator.policy.files.uncounted import uncounted_names
from moderator.policy.live.admission import Admission
from moderator.policy.live.folder_watch import read_folder
from tests.unit.policy.folders import a_folder, problems_of


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("policy: x\n")


@pytest.mark.parametrize("name", ["x.yaml.txt", "x.json", "new/x.yaml", "X.YAML~", "a/b/x.yml", "x.yml.bak"])
def test_a_file_that_does_not_count_is_a_warning_and_no_error(tmp_path: Path, name: str) -> None:
    put(a_folder(tmp_path), name)

    assert [(each.level, each.code, each.file) for each in problems_of(tmp_path)] == [("warning", "P008", name)]


@pytest.mark.parametrize(
    "name",
    [".x.yaml.swp", ".schema/policy.json", "calibration/notes.yaml", "README.md", "new/notes.txt", ".git/x.yaml"],
)
def test_hidden_names_schemas_calibrations_and_other_files_are_no_policies_by_mistake(
    tmp_path: Path, name: str
) -> None:
    put(a_folder(tmp_path), name)

    assert uncounted_names(tmp_path) == ()


def test_a_policy_folder_inside_of_another_is_one_of_its_own(tmp_path: Path) -> None:
    put(a_folder(tmp_path), "armorm/settings.yaml", "armorm/safety.yaml")

    assert uncounted_names(tmp_path) == ()


def test_a_folder_mounted_by_mistake_is_not_searched_to_its_end(tmp_path: Path) -> None:
    put(tmp_path, *(f"new/{number}.yaml" for number in range(1_100)))

    assert len(uncounted_names(tmp_path)) == 1_000


def test_a_start_warns_of_them_and_decides_all_the_same(tmp_path: Path) -> None:
    put(a_folder(tmp_path), "x.yaml.txt")
    state = read_folder(tmp_path)

    accepted = Admission().admit(state)

    assert "P008" in [warning.code for warning in accepted.warnings]
    assert state.uncounted == ("x.yaml.txt",)
    assert "x.yaml.txt" not in accepted.files
