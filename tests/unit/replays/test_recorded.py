"""What is kept of recorded decisions: the last one of each place, in little memory."""

from typing import Any

import orjson
import pytest

from moderator.events import Partition
from moderator.replays.recorded import RecordedOutcomes, numbers_of, place_of
from tests.builders import a_record
from tests.unit.replays.decisions import a_decision


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
