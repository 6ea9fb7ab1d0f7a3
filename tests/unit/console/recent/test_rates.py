"""Outcomes by minute, also of those that are no longer held."""

import itertools

from moderator.console.recent.rates import MINUTES, Rates

NOW_MS = 1_796_040_000_000
MINUTE_MS = 60_000


def test_the_mean_of_the_last_minute_counts_decisions_alone() -> None:
    rates = Rates()
    rates.add([(NOW_MS - 1_000, "flag")] * 30)
    rates.add([(NOW_MS - 30_000, "allow")] * 60)
    rates.add([(NOW_MS, "dead_letter")] * 9)
    rates.add([(NOW_MS - 2 * MINUTE_MS, "allow")] * 500)

    assert rates.per_second(NOW_MS) == 1.5


def test_each_minute_of_the_last_hour_is_counted_in_whatever_order_it_came() -> None:
    rates = Rates()
    ages = [0, 59, 1, 30, 30]
    rates.add((NOW_MS - age * MINUTE_MS, "flag") for age in ages)
    rates.add([(NOW_MS - 61 * MINUTE_MS, "flag"), (NOW_MS - 5 * MINUTE_MS, "dead_letter")])

    minutes = rates.minutes(NOW_MS)

    assert len(minutes) == MINUTES
    assert [minute.flag for minute in minutes if minute.flag] == [1, 2, 1, 1]
    assert sum(minute.dead_letter for minute in minutes) == 1
    assert all(later.start_ms - earlier.start_ms == MINUTE_MS for earlier, later in itertools.pairwise(minutes))


def test_days_of_decisions_take_no_more_room_than_an_hour() -> None:
    rates = Rates()

    for minute in range(3 * 24 * 60):
        rates.add([(NOW_MS + minute * MINUTE_MS, "allow")])

    assert len(rates._slots) <= 2 * 61 * 6 + 1
    assert rates.per_second(NOW_MS + (3 * 24 * 60 - 1) * MINUTE_MS) == 1 / 60
