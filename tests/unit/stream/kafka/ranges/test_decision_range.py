import re

import pytest

from moderator.errors import ConfigurationError
from moderator.events import Partition
from moderator.stream.kafka.ranges.decision_range import OffsetRanges, TimeRange, is_range, parse_range, parse_time


@pytest.mark.parametrize(
    ("events", "span"),
    [
        ("kafka", TimeRange()),
        ("kafka:", TimeRange()),
        ("kafka:..", TimeRange()),
        ("kafka:2026-10-01..2026-10-08", TimeRange(1_790_812_800_000, 1_791_417_600_000)),
        ("kafka:2026-10-01T02:00:00.5+02:00..", TimeRange(1_790_812_800_500, None)),
        ("kafka:..2026-10-01T00:00:00Z", TimeRange(None, 1_790_812_800_000)),
        ("kafka:1969-12-31..", TimeRange(0, None)),
        ("kafka:2026-10-01T00:00:00.0009Z..", TimeRange(1_790_812_800_000, None)),
        ("kafka:flag/0@100..200", OffsetRanges({Partition("flag", 0): (100, 200)})),
        (
            "kafka:a.b-c_d/3@..,e/0@7..",
            OffsetRanges({Partition("a.b-c_d", 3): (None, None), Partition("e", 0): (7, None)}),
        ),
    ],
)
def test_a_range_is_read_as_written(events: str, span: object) -> None:
    assert is_range(events)
    assert parse_range(events) == span
    assert str(parse_range(events)) == str(span)  # milliseconds are whole numbers


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ("kafka:yesterday..", "`kafka:yesterday..` is no range of decisions: write"),
        ("kafka:2026-10-01", "`kafka:2026-10-01` is no range of decisions: write"),
        ("kafka:flag@1..2", "`kafka:flag@1..2` is no range of decisions: write"),
        ("kafka:flag/0@1", "`kafka:flag/0@1` is no range of decisions: write"),
        ("kafka:2026-10-01T12:00..", "the time `2026-10-01T12:00` has no zone"),
        ("kafka:2026-10-02..2026-10-01", "holds nothing"),
        ("kafka:2026-10-01..2026-10-01", "holds nothing"),
        ("kafka:flag/0@1..2,flag/0@5..6", "names a partition twice"),
    ],
)
def test_what_is_no_range_is_refused(events: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(problem)):
        parse_range(events)


def test_what_is_no_time_is_refused_with_one_to_write() -> None:
    with pytest.raises(ConfigurationError, match=r"^`soon` is no time: write one such as `2026-11-29T06:00:00Z`$"):
        parse_time("soon")


def test_files_are_no_ranges() -> None:
    assert not is_range("kafka.jsonl")
    assert not is_range("./kafka")
