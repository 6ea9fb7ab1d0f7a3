"""How a process' memory, files and threads develop; and what became of each event."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import linear_regression, median
from typing import Any, NamedTuple

from tests.faults.oracle import Place

WARM_UP_S = 600.0
SETTLED_S = 30.0
LEAST_SAMPLES = 60
AT_EACH_END = 12
MIB = 2**20
MOST_MIB_PER_H = 64.0
MOST_GROWTH = 1.1

Lane = tuple[str, int, int]
"""Output topic, its partition, and the partition that the events came from: within it, order holds."""


class Sample(NamedTuple):
    """One look at a process; `at_s` counts from its start."""

    at_s: float
    rss: int
    fds: int
    threads: int


class Tally(NamedTuple):
    """What became of the events."""

    events: int
    decided: int
    dead_letters: int
    lost: int
    doubled: int
    out_of_order: int

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.out_of_order)


def tally(events: Iterable[Place], outcomes: Mapping[Lane, Sequence[int]], dead_letter_topic: str) -> Tally:
    """Hold the outcomes, the offsets of each lane as they were read, against the events in the log."""
    expected = set(events)
    made = Counter((number, offset) for (_, _, number), offsets in outcomes.items() for offset in offsets)
    dead = sum(len(offsets) for (topic, _, _), offsets in outcomes.items() if topic == dead_letter_topic)
    return Tally(
        events=len(expected),
        decided=made.total() - dead,
        dead_letters=dead,
        lost=len(expected - made.keys()),
        doubled=made.total() - len(made) + len(made.keys() - expected),
        out_of_order=sum(before > after for offsets in outcomes.values() for before, after in pairwise(offsets)),
    )


def growth(samples: Sequence[Sample]) -> dict[str, Any]:
    """Give the slope of memory after ten minutes, None where it is not known, and files and threads at both ends."""
    late = [sample for sample in samples if sample.at_s >= WARM_UP_S]
    slope = None
    if len(late) >= LEAST_SAMPLES:
        hours, mib = [each.at_s / 3_600 for each in late], [each.rss / MIB for each in late]
        slope = round(linear_regression(hours, mib).slope, 1)
    settled = [sample for sample in samples if sample.at_s >= SETTLED_S] or list(samples)
    first, last = settled[:AT_EACH_END], settled[-AT_EACH_END:]
    return {
        "rss_slope_mib_per_h": slope,
        "fds": [round(median(each.fds for each in end)) for end in (first, last)] if settled else [0, 0],
        "threads": [round(median(each.threads for each in end)) for end in (first, last)] if settled else [0, 0],
    }


def problems(result: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with a run; nothing where all is well."""
    found = [f"{name} is {result[name]}" for name in ("lost", "doubled", "out_of_order") if result[name]]
    if result["set_aside"] != result["faults"]["poison"]:
        found.append(f"{result['set_aside']} events were set aside, {result['faults']['poison']} were poison")
    if (result["rss_slope_mib_per_h"] or 0.0) > MOST_MIB_PER_H:
        found.append(f"memory grows by {result['rss_slope_mib_per_h']} MiB an hour")
    for name in ("fds", "threads"):
        first, last = result[name]
        if last > first * MOST_GROWTH:
            found.append(f"{name} grew from {first} to {last}")
    return found
