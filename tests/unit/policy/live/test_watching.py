"""What a folder holds, and whether it has stopped changing."""

from pathlib import Path

import pytest

from moderator.errors import PolicyError
from moderator.policy.live.watching import FolderWatch, look_into


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "settings.yaml").write_text("format: 1\n")
    return folder


def test_a_folder_has_settled_when_two_looks_in_a_row_agree(folder: Path) -> None:
    watch = FolderWatch(folder)

    looks = [watch.look() for _ in range(3)]

    assert looks[0] is None
    assert looks[1] == looks[2] == look_into(folder)


def test_a_folder_that_changes_between_looks_has_not_settled(folder: Path) -> None:
    watch = FolderWatch(folder)
    watch.look()

    (folder / "signals.yaml").write_text("signals: {}\n")

    assert watch.look() is None
    assert watch.look() is not None


def test_the_same_bytes_under_another_name_are_another_source(folder: Path) -> None:
    before = look_into(folder)

    (folder / "settings.yaml").rename(folder / "settings.yml")

    assert look_into(folder).source != before.source


def test_touching_a_file_or_writing_the_same_again_changes_nothing(folder: Path) -> None:
    before = look_into(folder)

    (folder / "other").write_text("format: 1\n")
    (folder / "other").replace(folder / "settings.yaml")

    assert look_into(folder) == before


def test_hidden_files_and_backups_of_editors_change_nothing(folder: Path) -> None:
    before = look_into(folder)

    for name in (".settings.yaml.swp", "settings.yaml~", "4913", ".#settings.yaml"):
        (folder / name).write_text("half a file")

    assert look_into(folder).source == before.source


def test_a_folder_that_is_gone_settles_as_such_and_so_does_its_return(folder: Path) -> None:
    watch = FolderWatch(folder)
    before = look_into(folder)
    aside = folder.rename(folder.with_name("aside"))

    gone = [watch.look() for _ in range(2)][1]
    aside.rename(folder)
    back = [watch.look() for _ in range(2)][1]

    assert gone is not None
    assert isinstance(gone.files, PolicyError)
    assert back == before


def test_a_file_that_cannot_be_read_is_part_of_what_the_folder_holds(folder: Path) -> None:
    before = look_into(folder)
    (folder / "signals.yaml").symlink_to(folder / "nowhere")

    assert look_into(folder).source != before.source
    assert look_into(folder) == look_into(folder)
