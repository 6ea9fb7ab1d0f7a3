"""How much memory is taken by recorded decisions."""

import tracemalloc

import pytest

from moderator.errors import ConfigurationError
from moderator.replays import recorded as recorded_module
from moderator.replays.recorded import MOST_SIGNALS, RecordedOutcomes
from tests.unit.replays.decisions import a_decision


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
