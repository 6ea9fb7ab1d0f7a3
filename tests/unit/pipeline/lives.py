"""One process after another over the same log, each of which an event may end."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from moderator.events import (
    SET_ASIDE,
    DecidedSpan,
    Partition,
    PartitionSpan,
    PolledSpan,
    Published,
    Scores,
    Turn,
)
from moderator.pipeline.decision import Decider
from moderator.pipeline.observer import CountingObserver
from moderator.pipeline.ports import InteractiveWork
from moderator.pipeline.processor import Processor
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.settings import Settings, WindowSettings
from moderator.stream.kafka.consuming.position import Position, read_position
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
        decider = Decider(self._policies, scorer.identity)
        processor = Processor(
            settings=Settings(window=WindowSettings(max_events=self.max_events)),
            source=source,
            sink=sink,
            scoring=scoring,
            scorer=scorer,
            score_cache=DictCache(),
            verdict_cache=InMemoryVerdictCache(),
            current_decider=lambda: decider,
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
