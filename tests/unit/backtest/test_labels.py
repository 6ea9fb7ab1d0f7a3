from pathlib import Path

import pytest

from moderator.backtest.labels import read_labels
from moderator.errors import ConfigurationError
from moderator.labels.record import encode_label
from tests.builders import a_label


def some_file(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "labels.jsonl"
    file.write_text("\n".join(lines))
    return file


def test_labels_are_read_by_event_and_where_given_by_tenant(tmp_path: Path) -> None:
    file = some_file(
        tmp_path,
        '\ufeff{"id": "evt-1", "label": "flag", "reviewer": "kim"}',
        "",
        '{"id": "evt-1", "tenant": "acme", "label": "allow"}',
        '{"id": "evt-1", "label": "flag"}',
    )

    labels = read_labels(file)

    assert labels.verdicts == {(None, "evt-1"): "flag", ("acme", "evt-1"): "allow"}


@pytest.mark.parametrize(
    ("line", "reported"),
    [
        ("evt-2,flag", "line 2: not JSON"),
        ("[]", "line 2: no label: write"),
        ('{"label": "flag"}', "line 2: the label has no `id`"),
        ('{"id": 7, "label": "flag"}', "line 2: the label has no `id`"),
        ('{"id": "evt-2", "label": "bad"}', "line 2: `label` should be flag or allow"),
        ('{"id": "evt-2", "label": ["flag"]}', "line 2: `label` should be flag or allow"),
        ('{"id": "evt-2", "label": "flag", "tenant": 4}', "line 2: `tenant` should be text"),
        ('{"id": "evt-1", "label": "allow"}', "line 2: says allow of `evt-1`, of which line 1 says flag: keep one"),
    ],
)
def test_a_wrong_label_is_named_with_its_line(tmp_path: Path, line: str, reported: str) -> None:
    file = some_file(tmp_path, '{"id": "evt-1", "label": "flag"}', line)

    with pytest.raises(ConfigurationError) as refused:
        read_labels(file)

    assert reported in str(refused.value)
    assert "\n" not in str(refused.value)


def test_records_of_the_topic_are_read_beside_short_lines(tmp_path: Path) -> None:
    older = a_label(id="evt-1", label="flag", reviewer="ana", labelled_at="2026-11-29T12:00:00Z")
    newer = a_label(id="evt-1", label="allow", reviewer="ben", labelled_at="2026-11-29T12:00:01Z")
    unsure = a_label(id="evt-2", label=None, reviewer="ana")
    lines = [encode_label(label).decode() for label in (newer, older, unsure)]

    labels = read_labels(some_file(tmp_path, *lines, '{"id": "evt-3", "label": "flag"}'))

    assert labels.verdicts == {("acme", "evt-1"): "allow", (None, "evt-3"): "flag"}


def test_a_wrong_record_is_named_with_its_line_and_field(tmp_path: Path) -> None:
    line = encode_label(a_label(label="bad")).decode()

    with pytest.raises(ConfigurationError, match="line 1: a label whose `label` is wrong"):
        read_labels(some_file(tmp_path, line))


def test_many_wrong_labels_are_cut_short(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="and 90 more"):
        read_labels(some_file(tmp_path, *["x"] * 100))


def test_a_file_without_labels_or_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no label"):
        read_labels(some_file(tmp_path, ""))
    with pytest.raises(ConfigurationError, match="cannot read"):
        read_labels(tmp_path / "nowhere")
