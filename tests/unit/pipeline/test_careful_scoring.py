"""An event that ends the process each time it is scored: found after a few ends, and no other event is set aside."""

from collections import Counter
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from moderator.errors import ScorerUnavailableError, StoppedError
from moderator.events import (
    SET_ASIDE,
    DeadLetter,
    EncodedDecision,
    Partition,
    Record,
)
from moderator.stream.kafka.consuming.position import Position, Trial
from moderator.testing import (
    InMemoryLog,
)
from tests.builders import an_event_json
from tests.unit.pipeline.lives import MOST_ENDS, Lives, a_log, outcomes
from tests.unit.pipeline.noted_texts import NotedTexts


def test_several_poisons_are_all_found(tmp_path: Path) -> None:
    lives = Lives(tmp_path, a_log(300, 10, 11, 200, partitions=2), max_events=50)

    ends = lives.live_to_the_end()

    assert ends <= 3 * MOST_ENDS
    assert sorted(lives.set_aside) == [(0, 5), (0, 100), (1, 5)]
    assert outcomes(lives.log).total() == 300


def test_a_process_killed_once_in_each_window_sets_nothing_aside(tmp_path: Path) -> None:
    lives = Lives(tmp_path, a_log(200), max_events=30, deadly=())
    kills = 0
    for number in range(0, 200, 7):
        lives.deadly = (f"text {number}",)
        kills += not lives.live()

    lives.deadly = ()
    assert lives.live()

    assert kills > 10
    assert lives.set_aside == []
    assert outcomes(lives.log) == Counter((0, number) for number in range(200))


def test_what_is_set_aside_is_logged_by_place_and_id_and_never_by_text(tmp_path: Path) -> None:
    lives = Lives(tmp_path, a_log(5, 3), max_events=50)

    with capture_logs() as logs:
        lives.live_to_the_end()

    [line] = [line for line in logs if line["event"] == "event_set_aside"]
    assert line == {
        "event": "event_set_aside",
        "log_level": "error",
        "topic": "chat.events",
        "partition": 0,
        "offset": 3,
        "event_id": "evt-3",
    }
    assert DeadLetter("crashed_scorer", "the process ended twice while scoring this event alone") == SET_ASIDE


def test_a_mark_moves_no_position_and_is_taken_back_before_the_commit(tmp_path: Path) -> None:
    lives = Lives(tmp_path, a_log(60), max_events=30)

    lives.live()

    written = [(position.offset, position.trial is not None) for _, position in lives.group.written]
    assert written == [(0, True), (0, False), (30, False), (30, True), (30, False), (60, False)]


def test_steady_traffic_is_not_marked(tmp_path: Path) -> None:
    lives = Lives(tmp_path, a_log(300), max_events=30)

    lives.live()

    marked = [position.offset for _, position in lives.group.written if position.trial]
    assert marked == [0, 30]  # two windows after the assignment


def test_a_window_that_cannot_be_written_down_is_not_scored_until_it_can(tmp_path: Path) -> None:
    lives = Lives(tmp_path, a_log(40, 2), max_events=5)
    lives.refusals = 3

    assert not lives.live()

    assert [scored for scored, _ in lives.at_refusal] == [0, 0, 0]
    polls = [polls for _, polls in lives.at_refusal]
    assert polls == sorted(set(polls))  # though nothing more fits, the loop polls before it asks again
    assert lives.group.stored[Partition("chat.events", 0)].trial is not None


def test_an_end_in_order_takes_the_mark_back(tmp_path: Path) -> None:
    lives = Lives(tmp_path, a_log(40), max_events=30)

    with pytest.raises(StoppedError):
        lives.live(error=StoppedError("it can never be published"))

    assert lives.group.stored[Partition("chat.events", 0)] == Position(0)


def test_a_lost_device_leaves_the_mark(tmp_path: Path) -> None:
    lives = Lives(tmp_path, a_log(40), max_events=30)
    lives.failure = ScorerUnavailableError("the device failed")

    with pytest.raises(ScorerUnavailableError):
        lives.live()

    assert lives.group.stored[Partition("chat.events", 0)].trial == Trial(30)


def test_while_a_suspect_is_scored_alone_no_request_is_served(tmp_path: Path) -> None:
    lives = Lives(tmp_path, a_log(4), max_events=50)
    lives.group.stored[Partition("chat.events", 0)] = Position(0, suspects=2)
    texts = NotedTexts()

    assert lives.live(texts)

    # each of the two suspects alone; the others then share their window with requests
    calls = [call for call in texts.calls if call != "give_way"]
    assert calls[:4] == ["hold", "release", "hold", "release"]
    assert set(calls[4:]) <= {"serve"}


def test_a_suspect_that_cannot_be_read_is_no_suspect(tmp_path: Path) -> None:
    log = InMemoryLog()
    log.append(b"not json")
    log.append(an_event_json(text="fine"))
    lives = Lives(tmp_path, log, max_events=50)
    lives.group.stored[Partition("chat.events", 0)] = Position(0, suspects=1)

    assert lives.live()

    made: list[tuple[Record, EncodedDecision | DeadLetter]] = lives.log.outcomes
    assert [isinstance(each, DeadLetter) for _, each in made] == [True, False]
    assert lives.set_aside == []
