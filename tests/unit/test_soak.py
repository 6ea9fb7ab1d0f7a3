"""The tally of soak and chaos finds what it is there to find; and the load has what it says."""

from collections import Counter

import pytest

from moderator.events import ChatEvent, DeadLetter
from moderator.settings import Settings
from moderator.stream.codec import decode
from tests.builders import a_record
from tests.soak.load import Event, judged, refused
from tests.soak.measures import Sample, growth, problems, tally

EVENTS = [(0, 0), (0, 1), (0, 3), (1, 0)]
DEAD = "moderation.dead-letter"
GOOD = {("moderation.flag", 0, 0): [0, 3], (DEAD, 0, 0): [1], ("moderation.allow", 1, 1): [0]}
FINE = {
    "lost": 0,
    "doubled": 0,
    "out_of_order": 0,
    "faults": {"poison": 1},
    "set_aside": 1,
    "rss_slope_mib_per_h": 3.0,
    "fds": [20, 21],
    "threads": [8, 8],
}


def test_each_event_once_and_in_order_is_good() -> None:
    counted = tally(EVENTS, GOOD, DEAD)

    assert counted == (4, 3, 1, 0, 0, 0)
    assert counted.is_good


@pytest.mark.parametrize(
    ("outcomes", "lost", "doubled", "out_of_order"),
    [
        ({**GOOD, ("moderation.allow", 1, 1): []}, 1, 0, 0),
        ({**GOOD, ("moderation.allow", 1, 1): [0, 0]}, 0, 1, 0),
        ({**GOOD, ("moderation.allow", 0, 0): [3]}, 0, 1, 0),
        ({**GOOD, ("moderation.flag", 0, 0): [3, 0]}, 0, 0, 1),
        ({**GOOD, ("moderation.flag", 0, 0): [0, 2, 3]}, 0, 1, 0),
    ],
    ids=["lost", "doubled", "doubled in another topic", "out of order", "of an aborted transaction"],
)
def test_what_is_wrong_is_counted(
    outcomes: dict[tuple[str, int, int], list[int]], lost: int, doubled: int, out_of_order: int
) -> None:
    counted = tally(EVENTS, outcomes, DEAD)

    assert (counted.lost, counted.doubled, counted.out_of_order) == (lost, doubled, out_of_order)
    assert not counted.is_good


def some_samples(*, seconds: int, mib_per_h: float, fds: int = 20) -> list[Sample]:
    grown = 2**20 * mib_per_h / 3_600
    return [Sample(at_s, int(2**28 + grown * at_s), 20 if at_s < 100 else fds, 8) for at_s in range(0, seconds, 5)]


def test_memory_is_measured_after_the_first_ten_minutes() -> None:
    assert growth(some_samples(seconds=3_600, mib_per_h=100))["rss_slope_mib_per_h"] == 100
    assert growth(some_samples(seconds=610, mib_per_h=100))["rss_slope_mib_per_h"] is None


def test_files_and_threads_are_those_of_the_first_and_of_the_last_minute() -> None:
    assert growth(some_samples(seconds=300, mib_per_h=0, fds=25))["fds"] == [20, 25]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"rss_slope_mib_per_h": None}, []),
        ({"lost": 2}, ["lost is 2"]),
        ({"set_aside": 3}, ["3 events were set aside, 1 were poison"]),
        ({"rss_slope_mib_per_h": 65.0}, ["memory grows by 65.0 MiB an hour"]),
        ({"fds": [20, 23]}, ["fds grew from 20 to 23"]),
        ({"threads": [8, 9]}, ["threads grew from 8 to 9"]),
    ],
)
def test_a_run_says_what_is_wrong_with_it(change: dict[str, object], said: list[str]) -> None:
    assert problems({**FINE, **change}) == said


def decoded(event: Event) -> ChatEvent | DeadLetter:
    settings = Settings()
    return decode(a_record(event.value, headers=list(event.headers)), settings.max_event_bytes, settings.reading)


def test_the_load_has_every_shape_that_is_read_and_every_reason_to_refuse_one() -> None:
    assert [decoded(event) for event in judged(7) if not isinstance(decoded(event), ChatEvent)] == []
    reasons = Counter(made.reason for event in refused() if isinstance(made := decoded(event), DeadLetter))

    assert reasons == {"bad_json": 4, "bad_schema": 1, "no_text": 1}
