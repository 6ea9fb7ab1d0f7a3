"""An event that ends the process each time it is scored: found after a few ends, and no other event is set aside."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from moderator.errors import ScorerUnavailableError, StoppedError
from moderator.events import (
    SET_ASIDE,
    DeadLetter,
    DecidedSpan,
    EncodedDecision,
    Partition,
    PartitionSpan,
    PolledSpan,
    Published,
    Record,
    Scores,
    Turn,
)
from moderator.pipeline.decision import Decider
from moderator.pipeline.observer import CountingObserver
from moderator.pipeline.ports import InteractiveWork
from moderator.pipeline.processor import Processor
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.settings import Settings, WindowSettings
from moderator.stream.kafka.consuming.position import Position, Trial, read_position
from moderator.stream.kafka.consuming.trials import Trials
from moderator.testing import (
    InMemoryLog,
    InMemorySink,
    InMemorySource,
    InMemoryVerdictCache,
    ManualClock,
    ScriptedScorer,
)
from tests.builders import an_event_json, some_policies, some_scores
from tests.unit.pipeline.dict_cache import DictCache
from tests.unit.pipeline.noted_texts import NotedTexts

MOST_ENDS = 5


class KilledError(BaseException):
    """What SIGKILL is to a process: nothing handles it."""


class Group:
    """Positions that outlast processes, in the form in which Kafka keeps them."""

    def __init__(self) -> None:
        self.stored: dict[Partition, Position] = {}
        self.written: list[tuple[Partition, Position]] = []

    def write(self, partition: Partition, position: Position) -> None:
        self.stored[partition] = read_position(position.written())
        self.written.append((partition, position))


class Marks:
    """`pipeline.ports.Trials` of one process, with the real rules."""

    def __init__(self, group: Group, log: InMemoryLog, most_events: int, refuses: Callable[[], bool]) -> None:
        self.trials = Trials(most_events)
        self._group = group
        self._marked: list[Partition] = []
        self._refuses = refuses
        for partition in log.records:
            self.trials.begin(partition, group.stored.setdefault(partition, Position(0)))

    @property
    def is_on(self) -> bool:
        return self.trials.is_on

    @property
    def suspects(self) -> Mapping[Partition, int]:
        return self.trials.suspects

    def is_condemned(self, partition: Partition) -> bool:
        return self.trials.ends_alone(partition) >= 2

    def begin(self, spans: Sequence[PartitionSpan[Any]], *, is_alone: bool) -> bool:
        if self._refuses():
            return False
        for span in spans:
            position = self.trials.marked(span, self._group.stored[span.partition], is_alone=is_alone)
            if position:
                self._group.write(span.partition, position)
                self._marked.append(span.partition)
        return True

    def before_poll(self) -> None:
        pass

    def end(self) -> None:
        for partition in self._marked:
            self._group.write(partition, self.trials.unmarked(partition, self._group.stored[partition]))
        self._marked = []


class CountedSource(InMemorySource):
    """Also counts polls."""

    def __init__(self, log: InMemoryLog, lives: "Lives") -> None:
        super().__init__(log)
        self._lives = lives

    def poll(self, timeout_ms: int) -> list[PolledSpan]:
        self._lives.polls += 1
        return super().poll(timeout_ms)


class CommittingSink(InMemorySink):
    """Also moves the group's positions."""

    def __init__(self, log: InMemoryLog, source: InMemorySource, group: Group, marks: Marks) -> None:
        super().__init__(log, source)
        self._group = group
        self._marks = marks
        self.error: Exception | None = None

    def publish(self, spans: list[DecidedSpan]) -> Published:
        if self.error:
            raise self.error
        published = super().publish(spans)
        for span in published.committed:
            position = Position(span.next_offset)
            self._group.write(span.partition, self._marks.trials.unmarked(span.partition, position, len(span.items)))
        self._marks.trials.committed(published.committed)
        return published


class Lives:
    """One process after another over the same log; each ends when it scores what kills it, or has done all."""

    def __init__(self, folder: Path, log: InMemoryLog, *, max_events: int, deadly: Sequence[str] = ("poison",)) -> None:
        self.log = log
        self.group = Group()
        self.max_events = max_events
        self.deadly = deadly
        self.scored: list[list[str]] = []
        self.refusals = 0
        self.failure: Exception | None = None
        self.at_refusal: list[tuple[int, int]] = []
        self.polls = 0
        self._policies = some_policies(folder)

    def live(self, interactive: InteractiveWork | None = None, error: Exception | None = None) -> bool:
        """Run one process; false where it was killed."""
        source = CountedSource(self.log, self)
        marks = Marks(self.group, self.log, 2 * self.max_events, self._refuses)
        sink = CommittingSink(self.log, source, self.group, marks)
        sink.error = error
        scorer = ScriptedScorer(self._score)
        scoring = ScoringThread()
        processor = Processor(
            settings=Settings(window=WindowSettings(max_events=self.max_events)),
            source=source,
            sink=sink,
            scoring=scoring,
            scorer=scorer,
            score_cache=DictCache(),
            verdict_cache=InMemoryVerdictCache(),
            current_decider=lambda: Decider(self._policies, scorer.identity),
            observer=CountingObserver(),
            clock=ManualClock(),
            stop=threading.Event(),
            dead_letter_limit=None,
            interactive=interactive,
            trials=marks,
        )
        self.scored.append([])
        try:
            processor.run()
        except KilledError:
            return False
        finally:
            scoring.close()
        return True

    def live_to_the_end(self, most: int = 50) -> int:
        """Start again after each end; give how many there were."""
        ends = 0
        while not self.live():
            ends += 1
            assert ends < most, "it never comes to an end"
        return ends

    def _refuses(self) -> bool:
        if not self.refusals:
            return False
        self.refusals -= 1
        self.at_refusal.append((len(self.scored[-1]), self.polls))
        return True

    def _score(self, conversation: Sequence[Turn]) -> Scores:
        text = conversation[-1].content
        self.scored[-1].append(text)
        if text in self.deadly:
            raise KilledError
        if self.failure:
            raise self.failure
        return some_scores()

    @property
    def set_aside(self) -> list[tuple[int, int]]:
        return [(record.partition, record.offset) for record, made in self.log.outcomes if made == SET_ASIDE]


def a_log(events: int, *poisoned: int, partitions: int = 1, poison: str = "poison") -> InMemoryLog:
    log = InMemoryLog()
    for number in range(events):
        text = poison if number in poisoned else f"text {number}"
        log.append(an_event_json(text=text, id=f"evt-{number}"), partition=number % partitions)
    return log


def outcomes(log: InMemoryLog) -> Counter[tuple[int, int]]:
    return Counter((record.partition, record.offset) for record, _ in log.outcomes)


@pytest.mark.parametrize("max_events", [1, 50, 65, 150])
@pytest.mark.parametrize("poisoned", [0, 64, 149])
@pytest.mark.parametrize("partitions", [1, 2])
def test_a_poison_costs_at_most_five_ends_and_nobody_else_suffers(
    tmp_path: Path, max_events: int, poisoned: int, partitions: int
) -> None:
    lives = Lives(tmp_path, a_log(150, poisoned, partitions=partitions), max_events=max_events)

    ends = lives.live_to_the_end()

    assert ends <= MOST_ENDS
    assert lives.set_aside == [(poisoned % partitions, poisoned // partitions)]
    assert outcomes(lives.log) == Counter((n % partitions, n // partitions) for n in range(150))


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
