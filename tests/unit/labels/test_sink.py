from pathlib import Path

import pytest

from moderator.errors import ConfigurationError
from moderator.labels.record import parse_label
from moderator.labels.sink import LabelFile, LabelNotSavedError
from tests.builders import a_label


def test_labels_are_appended_one_a_line(tmp_path: Path) -> None:
    file = LabelFile(tmp_path / "labels.jsonl")

    file.save(a_label(id="evt-1"))
    file.save(a_label(id="evt-2", note="two\nlines"))

    assert [parse_label(line)["id"] for line in file.values()] == ["evt-1", "evt-2"]


def test_a_line_that_was_cut_does_not_swallow_the_next_label(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b'{"schema": "moder')
    file = LabelFile(path)

    file.save(a_label())

    assert file.values()[0] == b'{"schema": "moder'
    assert parse_label(file.values()[1])["id"] == "evt-1"


def test_a_file_that_cannot_be_written_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot write labels to"):
        LabelFile(tmp_path / "nowhere" / "labels.jsonl")


def test_a_label_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    file = LabelFile(path)
    path.unlink()
    path.mkdir()

    with pytest.raises(LabelNotSavedError, match="cannot write to"):
        file.save(a_label())
