"""The progress of long work where stderr is no terminal."""

import time

import pytest

from moderator.cli.progress import progress
from moderator.testing import ManualClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    clock = ManualClock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic_s)
    return clock


@pytest.mark.parametrize(
    ("total", "unit", "lines"),
    [
        (4_000_000, "bytes", ["reading: 50%, 2 of 4 MB", "reading: 100%, 4 of 4 MB"]),
        (None, "records", ["reading: 2,000,000 records", "reading: 4,000,000 records"]),
    ],
)
def test_a_line_is_written_every_five_seconds_and_no_more_often(
    clock: ManualClock, capsys: pytest.CaptureFixture[str], total: int | None, unit: str, lines: list[str]
) -> None:
    with progress("reading", total, unit) as advance:
        for _ in range(4):
            clock.advance(2.5)
            advance(1_000_000)

    assert capsys.readouterr().err.splitlines() == lines


def test_what_is_done_at_once_tells_nothing(clock: ManualClock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading", 10, "records") as advance:
        clock.advance(4.9)
        advance(10)

    assert capsys.readouterr().err == ""
