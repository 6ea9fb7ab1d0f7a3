import pytest

from moderator.policy.files.rules.times_and_shares import read_time
from moderator.policy.language.event_time import event_time_ms, iso_utc, parse_time_ms
from moderator.policy.syntax.diagnostics import Diagnostics, SourceFile, Span
from moderator.policy.syntax.yaml_tree import Scalar

DECIDED_AT = "2026-10-05T12:00:00.412Z"


def a_scalar(text: str) -> Scalar:
    return Scalar(text, "text", Span(SourceFile("a.yaml", text, (text,)), 1, 1, len(text)))


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.9995Z", -1),
        ("2026-10-05T12:00:00.412999Z", 1_791_201_600_412),
        ("2026-10-05T14:00:00+02:00", 1_791_201_600_000),
        ("2026-10-05T12:00:00", None),
        ("2026-10-05", None),
        ("yesterday", None),
        ("", None),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000),
        ("0001-01-01T00:00:00+23:59", -62_135_683_140_000),
    ],
)
def test_a_time_is_milliseconds_rounded_down(text: str, at_ms: int | None) -> None:
    assert parse_time_ms(text) == at_ms


@pytest.mark.parametrize(
    ("broker_ms", "time", "at_ms"),
    [
        (5, "2030-01-01T00:00:00Z", 5),
        (0, None, 0),
        (-1, "1970-01-01T00:00:01Z", 1_000),
        (None, "1970-01-01T00:00:01Z", 1_000),
        (None, "1970-01-01T00:00:01", 1_791_201_600_412),
        (None, 1_000.0, 1_791_201_600_412),
        (None, None, 1_791_201_600_412),
    ],
)
def test_the_broker_comes_first_then_the_event_then_the_clock(
    broker_ms: int | None, time: str | float | None, at_ms: int
) -> None:
    assert event_time_ms(broker_ms, time, DECIDED_AT) == at_ms


def test_a_decision_without_a_time_cannot_be_replayed() -> None:
    with pytest.raises(ValueError, match="`soon` is no date and time"):
        event_time_ms(None, None, "soon")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-10-01", "2026-10-01"),
        ("2026-10-01T00:00Z", "2026-10-01"),
        ("2026-10-01T09:00Z", "2026-10-01T09:00:00Z"),
        ("2026-10-01 09:00:00.25+02:00", "2026-10-01T07:00:00.250Z"),
    ],
)
def test_times_in_policies_are_read_and_shown(text: str, shown: str) -> None:
    diagnostics = Diagnostics()

    at_ms = read_time(a_scalar(text), "starts", diagnostics)

    assert at_ms is not None
    assert iso_utc(at_ms) == shown
    assert diagnostics.all == []


@pytest.mark.parametrize(
    ("at_ms", "shown"),
    [
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "253402300800000 ms since 1970"),
        (1_791_201_600_000_000, "1791201600000000 ms since 1970"),
        (-62_135_596_800_000, "0001-01-01"),
    ],
)
def test_a_time_beyond_the_calendar_is_shown_as_a_number(at_ms: int, shown: str) -> None:
    assert iso_utc(at_ms) == shown


@pytest.mark.parametrize(
    "text",
    [
        *("2026-W40-4", "20261001", "2026-10-01T25:00:00Z", "2026-02-29", "2026-10-1", "2026-10-01T09Z", "now"),
        *("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"),
    ],
)
def test_other_ways_to_write_a_time_are_refused(text: str) -> None:
    diagnostics = Diagnostics()

    assert read_time(a_scalar(text), "starts", diagnostics) is None
    assert [problem.code for problem in diagnostics.all] == ["P041"]
