import json
from pathlib import Path
from typing import Any

import pytest

from moderator.errors import ConfigurationError
from moderator.evaluation.labelled import LabelledEvent, read_labelled
from moderator.settings import Settings


def written(folder: Path, *lines: Any) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def read(path: Path) -> list[LabelledEvent]:
    return read_labelled(path, Settings())


def test_a_line_is_an_event_with_labels_a_group_and_a_weight(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {"text": "buy now", "labels": {"spam": True, "selling": 0.5}, "group": "ads", "weight": 2},
        "",
        {"text": "hello", "conversation_id": "c-1", "labels": {"spam": False}},
    )

    first, second = read(path)

    assert (first.labels, first.group, first.weight) == ({"spam": 1.0, "selling": 0.5}, "ads", 2.0)
    assert first.event.conversation[-1].content == "buy now"
    assert (second.labels, second.group, second.weight, second.unit) == ({"spam": 0.0}, None, 1.0, "c-1")


def test_equal_texts_belong_together(tmp_path: Path) -> None:
    path = written(
        tmp_path, *({"text": text, "labels": {"spam": 1}} for text in ("Hello", "hello ", "he\u200bllo", "bye"))
    )

    same, likewise, padded, other = (row.unit for row in read(path))

    assert same == likewise == padded != other


def test_every_wrong_line_is_named_and_nothing_that_people_wrote(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "secret words",
        {"text": "secret", "labels": {}},
        {"text": "secret", "labels": {"spam": 2}},
        {"text": "secret", "labels": {"spam": "yes"}},
        {"text": "", "labels": {"spam": 1}},
        {"text": "secret", "labels": {"spam": 1}, "weight": 0},
        {"text": "secret", "labels": {"spam": 1}, "group": 7},
        *(["secret"] for _ in range(30)),
    )

    with pytest.raises(ConfigurationError) as raised:
        read(path)

    assert str(raised.value).splitlines() == [
        f"{path}:1: is not a JSON object",
        f"{path}:2: `labels` must give objectives a number from 0 to 1 each",
        f"{path}:3: `labels.spam` must be a number from 0 to 1, or true or false",
        f"{path}:4: `labels.spam` must be a number from 0 to 1, or true or false",
        f"{path}:5: no_text: the judged message, the last one, has no text",
        f"{path}:6: `weight` must be a number above 0",
        f"{path}:7: `group` must be text",
        *(f"{path}:{number}: is not a JSON object" for number in range(8, 38)),
    ]


def test_a_file_without_a_line_and_one_that_is_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no labelled event"):
        read(written(tmp_path, ""))
    with pytest.raises(ConfigurationError, match="cannot read"):
        read(tmp_path / "nowhere.jsonl")
