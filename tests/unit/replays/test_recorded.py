"""What is kept of recorded decisions: the last one of each place, in little memory."""

import tracemalloc
from typing import Any

import orjson
import pytest

from moderator.errors import ConfigurationError
from moderator.events import Partition, Record
from moderator.replays import recorded as recorded_module
from moderator.replays.recorded import MOST_SIGNALS, RecordedOutcomes, numbers_of, place_of
from tests.builders import a_record


def a_decision(offset: int, *, at_ms: int = 1, **fields: Any) -> Record:
    decision = {
        "schema": "moderator.decision/1",
        "event": {"topic": "chat.events", "partition": 0, "offset": offset},
        "verdict": "allow",
        "rules": [{"rule": "safety/unsafe", "counted": False, "outcome": "not matched"}],
        "scores": {"signals": {"safety": 0.5}},
        "policy": {"snapshot": "sha256:4c91"},
        "model": {"fingerprint": "sha256:fea9"},
    }
    return a_record(orjson.dumps(decision | fields), timestamp_ms=at_ms)


def test_true_is_no_number() -> None:
    numbers: Any = {"safety": True, "helpfulness": 1}
    decision = orjson.loads(a_decision(5).value or b"")
    decision["event"]["offset"] = True

    assert str(numbers_of(numbers, ["safety", "helpfulness"])) == "[nan, 1.0]"
    with pytest.raises(TypeError):
        place_of(decision)


def test_the_last_decision_of_a_place_counts_in_whichever_order_they_are_read() -> None:
    recorded = RecordedOutcomes(["safety"], "chat.events")
    for record in (a_decision(5, at_ms=3, verdict="flag"), a_decision(5, at_ms=2), a_decision(6)):
        recorded.add(record)

    assert recorded.repeated == 1
    assert recorded.is_last((0, 5), 3)
    assert not recorded.is_last((0, 5), 2)
    assert recorded.take((0, 5)) == (("flag", ()), [0.5])
    assert recorded.take((0, 5)) is None  # each place is compared once
    assert recorded.take((0, 7)) is None


def test_events_outside_of_the_range_or_of_another_topic_are_not_kept() -> None:
    recorded = RecordedOutcomes(["safety"], "chat.events", {Partition("chat.events", 0): (5, 7)})
    for offset in (4, 5, 6, 7):
        recorded.add(a_decision(offset))
    recorded.add(a_decision(5, event={"topic": "other", "partition": 0, "offset": 5}, verdict="flag"))
    recorded.add(a_decision(5, event={"topic": "chat.events", "partition": 1, "offset": 5}))

    assert [offset for offset in range(10) if recorded.take((0, offset))] == [5, 6]
    assert recorded.take((1, 5)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema": "other"},
        {"event": None},
        {"event": {"topic": "chat.events", "partition": "0", "offset": 5}},
        {"event": {"topic": "chat.events", "partition": 0, "offset": -5}},
        {"rules": 5},
        {"rules": [{}]},
        {"scores": {}},
        {"scores": {"signals": [1]}},
        {"policy": None},
        {"verdict": ["flag"]},
    ],
)
def test_what_is_no_decision_is_passed_over(wrong: dict[str, Any]) -> None:
    recorded = RecordedOutcomes(["safety"], "chat.events")

    recorded.add(a_decision(5, **wrong))
    recorded.add(a_record(None))

    assert recorded.take((0, 5)) is None
    assert recorded.size_bytes == 0


def test_an_event_takes_at_most_200_bytes_with_as_many_signals_as_may_be_compared() -> None:
    signals = [f"signal-{number}" for number in range(MOST_SIGNALS)]
    given = {"signals": dict.fromkeys(signals, 0.25)}
    records = [a_decision(offset, scores=given) for offset in range(4 * 1_024)]
    recorded = RecordedOutcomes(signals, "chat.events")

    tracemalloc.start()
    for record in records:
        recorded.add(record)
    in_its_file = tracemalloc.Filter(inclusive=True, filename_pattern=str(recorded_module.__file__))
    ours = tracemalloc.take_snapshot().filter_traces([in_its_file])  # other threads allocate too
    tracemalloc.stop()

    used = sum(each.size for each in ours.statistics("filename"))
    assert 50 < used / len(records) < 200

    with pytest.raises(ConfigurationError, match="41 signals, and at most 40 can be compared"):
        RecordedOutcomes([*signals, "one-more"], "chat.events")
