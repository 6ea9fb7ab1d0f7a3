"""What a folder holds, and whether it has stopped changing."""

from pathlib import Path

import pytest

from moderator.errors import PolicyError
from moderator.policy.live.folder_watch import FolderWatch, read_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "settings.yaml").write_text("format: 1\n")
    return folder


def test_a_folder_is_stable_when_two_polls_in_a_row_agree(folder: Path) -> None:
    watch = FolderWatch(folder)

    polls = [watch.poll() for _ in range(3)]

    assert polls[0] is None
    assert polls[1] == polls[2] == read_folder(folder)


def test_a_folder_that_changes_between_polls_is_not_stable(folder: Path) -> None:
    watch = FolderWatch(folder)
    watch.poll()

    (folder / "signals.yaml").write_text("signals: {}\n")

    assert watch.poll() is None
    assert watch.poll() is not None


def test_the_same_bytes_under_another_name_are_another_source(folder: Path) -> None:
    before = read_folder(folder)

    (folder / "settings.yaml").rename(folder / "settings.yml")

    assert read_folder(folder).source != before.source


def test_touching_a_file_or_writing_the_same_again_changes_nothing(folder: Path) -> None:
    before = read_folder(folder)

    (folder / "other").write_text("format: 1\n")
    (folder / "other").replace(folder / "settings.yaml")

    assert read_folder(folder) == before


def test_hidden_files_and_backups_of_editors_change_nothing(folder: Path) -> None:
    before = read_folder(folder)

    for name in (".settings.yaml.swp", "settings.yaml~", "4913", ".#settings.yaml"):
        (folder / name).write_text("half a file")

    assert read_folder(folder).source == before.source


def test_a_missing_folder_is_stable_as_such_and_so_is_its_return(folder: Path) -> None:
    watch = FolderWatch(folder)
    before = read_folder(folder)
    aside = folder.rename(folder.with_name("aside"))

    missing = [watch.poll() for _ in range(2)][1]
    aside.rename(folder)
    back = [watch.poll() for _ in range(2)][1]

    assert missing is not None
    assert isinstance(missing.files, PolicyError)
    assert back == before


def test_a_file_that_cannot_be_read_is_part_of_what_the_folder_holds(folder: Path) -> None:
    before = read_folder(folder)
    (folder / "signals.yaml").symlink_to(folder / "nowhere")

    assert read_folder(folder).source != before.source
    assert read_folder(folder) == read_folder(folder)
