"""The one oracle: every event in has exactly one decision or dead letter out, as `read_committed` readers see it."""

from collections import Counter
from itertools import pairwise
from typing import Any

import orjson

from moderator.events import SET_ASIDE
from moderator.settings import KafkaSettings
from tests.kafka_stream import committed_offsets, read_committed

Place = tuple[int, int]


def place_of(record: Any, settings: KafkaSettings) -> Place:
    """Give partition and offset of the event that an output record is about."""
    if record.topic == settings.dead_letter_topic:
        headers = dict(record.headers)
        return int(headers["dlq.partition"]), int(headers["dlq.offset"])
    event = orjson.loads(record.value)["event"]
    return event["partition"], event["offset"]


def assert_each_event_came_out_once(
    settings: KafkaSettings, events_by_partition: list[int], *, set_aside: int = 0
) -> list[Any]:
    """Check counts, order, committed offsets, and how many events were blamed for an end; give all output records."""
    records = read_committed(settings)
    places = [place_of(record, settings) for record in records]
    wanted = [(number, offset) for number, count in enumerate(events_by_partition) for offset in range(count)]

    repeated = {place: times for place, times in Counter(places).items() if times > 1}
    assert not repeated, f"{len(repeated)} events came out more than once: {sorted(repeated)[:5]}"
    missing = set(wanted) - set(places)
    assert not missing, f"{len(missing)} events did not come out: {sorted(missing)[:5]}"
    assert len(places) == len(wanted)
    errors = [dict(record.headers).get("dlq.error") for record in records]
    assert errors.count(SET_ASIDE.error.encode()) == set_aside
    _assert_order(records, places)
    assert committed_offsets(settings, len(events_by_partition)) == events_by_partition
    return records


def _assert_order(records: list[Any], places: list[Place]) -> None:
    lanes: dict[tuple[str, int, int], list[int]] = {}
    for record, (number, offset) in zip(records, places, strict=True):
        lanes.setdefault((record.topic, record.partition, number), []).append(offset)
    for lane, offsets in lanes.items():
        assert all(before < after for before, after in pairwise(offsets)), f"out of order in {lane}"
