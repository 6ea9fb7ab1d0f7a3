import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise, product
from pathlib import Path

import pytest

from moderator.errors import DeadLetterLimitError, ScorerUnavailableError, StoppedError
from moderator.events import (
    DeadLetter,
    DecidedSpan,
    EncodedDecision,
    Partition,
    PartitionSpan,
    PolledSpan,
    Published,
    Rejection,
    Scores,
    Turn,
)
from moderator.pipeline.dead_letter_limit import DeadLetterLimit
from moderator.pipeline.decision import Decider
from moderator.pipeline.moderation import ScoredWindow
from moderator.pipeline.observer import CountingObserver
from moderator.pipeline.pacing import MANY_EVENTS
from moderator.pipeline.ports import InteractiveWork, Scorer, Sink
from moderator.pipeline.processor import MAX_POLL_GAP_S, Processor
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.policy import load_policies
from moderator.settings import Settings, WindowSettings
from moderator.testing import (
    InMemoryLog,
    InMemorySink,
    InMemorySource,
    InMemoryVerdictCache,
    ManualClock,
    ScriptedScorer,
)
from tests.builders import POLICY_FILES, an_event_json, some_policies, some_scores
from tests.unit.pipeline.dict_cache import DictCache
from tests.unit.pipeline.noted_texts import NotedTexts
from tests.waiting import PATIENCE_S, await_condition


class Stage:
    """A processor on doubles, with everything that a test may want to see."""

    def __init__(
        self, folder: Path, log: InMemoryLog, *, scorer: Scorer | None = None, sink: Sink | None = None
    ) -> None:
        self.log = log
        self.source = InMemorySource(log, records_per_poll=10)
        self.sink = sink or InMemorySink(log, self.source)
        self.scorer = scorer or ScriptedScorer(lambda _: some_scores())
        self.verdicts = InMemoryVerdictCache()
        self.observer = CountingObserver()
        self.clock = ManualClock()
        self.stop = threading.Event()
        self.decider = Decider(some_policies(folder), self.scorer.identity)

    def processor(
        self,
        *,
        max_events: int = 25,
        dead_letter_limit: DeadLetterLimit | None = None,
        scoring: ScoringThread | None = None,
        interactive: InteractiveWork | None = None,
    ) -> Processor:
        return Processor(
            settings=Settings(window=WindowSettings(max_events=max_events)),
            source=self.source,
            sink=self.sink,
            scoring=scoring or ScoringThread(),
            scorer=self.scorer,
            score_cache=DictCache(),
            verdict_cache=self.verdicts,
            current_decider=lambda: self.decider,
            observer=self.observer,
            clock=self.clock,
            stop=self.stop,
            dead_letter_limit=dead_letter_limit,
            interactive=interactive,
        )


def a_log(*, events: int = 0, partitions: int = 1) -> InMemoryLog:
    log = InMemoryLog()
    for number in range(events):
        log.append(an_event_json(text=f"text {number}"), partition=number % partitions)
    return log


def places(log: InMemoryLog) -> list[tuple[int, int]]:
    return [(record.partition, record.offset) for record, _ in log.outcomes]


def test_every_event_gives_exactly_one_decision_and_its_offset_is_committed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_log(events=101, partitions=3))

    stage.processor().run()

    assert Counter(places(stage.log)) == Counter((n % 3, n // 3) for n in range(101))
    assert stage.log.committed == {
        Partition("chat.events", 0): 34,
        Partition("chat.events", 1): 34,
        Partition("chat.events", 2): 33,
    }


def test_requests_go_first_before_each_poll(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_log(events=1))
    requests = NotedTexts()
    seen: list[int] = []
    poll = stage.source.poll

    def noted_poll(timeout_ms: int) -> list[PolledSpan]:
        seen.append(requests.calls.count("give_way"))
        return poll(timeout_ms)

    stage.source.poll = noted_poll  # type: ignore[method-assign]

    stage.processor(interactive=requests).run()

    assert seen[0] == 1
    assert all(later > earlier for earlier, later in pairwise(seen))


def test_a_range_without_events_is_committed_and_not_counted(tmp_path: Path) -> None:
    class Passing(InMemorySource):
        def poll(self, timeout_ms: int) -> list[PolledSpan]:
            spans = super().poll(timeout_ms)
            return spans or [PartitionSpan(Partition("chat.events", 0), 1, 7, [])]

    log = a_log(events=3)
    stage = Stage(tmp_path, log)
    stage.source = Passing(log, is_finite=False)
    stage.sink = InMemorySink(log, stage.source)
    processor = stage.processor()
    thread = threading.Thread(target=processor.run)

    thread.start()
    await_condition(lambda: log.committed == {Partition("chat.events", 0): 7})
    stage.stop.set()
    thread.join(PATIENCE_S)

    assert not thread.is_alive()
    assert (stage.observer.counts["events"], len(log.outcomes)) == (3, 3)


def test_order_within_a_partition_is_kept_across_windows(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_log(events=100, partitions=2))

    stage.processor(max_events=7).run()

    for partition in (0, 1):
        assert [offset for number, offset in places(stage.log) if number == partition] == list(range(50))


def test_unreadable_records_become_dead_letters_next_to_the_decisions(tmp_path: Path) -> None:
    log = a_log(events=2)
    log.append(b"not json")
    log.append(None)
    stage = Stage(tmp_path, log)

    stage.processor().run()

    assert [isinstance(outcome, DeadLetter) for _, outcome in log.outcomes] == [False, False, True, True]
    assert stage.observer.counts == {
        "lines": 4,
        "events": 4,
        "flagged": 0,
        "allowed": 2,
        "dead_letters": 2,
        "unscored": 0,
        "cached": 0,
    }


def test_a_failed_publication_is_tried_again_from_memory_without_scoring_again(tmp_path: Path) -> None:
    log = a_log(events=30)
    stage = Stage(tmp_path, log)
    stage.sink = InMemorySink(log, stage.source, failures=4)

    stage.processor().run()

    assert sorted(places(log)) == [(0, n) for n in range(30)]
    assert isinstance(stage.scorer, ScriptedScorer)
    assert sum(len(prompts) for prompts in stage.scorer.scored) == 30


def test_a_partition_taken_away_is_not_published_and_one_given_back_is_moderated_again(tmp_path: Path) -> None:
    log = a_log(events=40, partitions=2)
    stage = Stage(tmp_path, log)
    taken = Partition("chat.events", 1)

    class TakesPartitionAway(InMemorySink):
        def publish(self, spans: list[DecidedSpan]) -> Published:
            if self.attempts == 0:
                stage.source.revoke(taken)
                stage.source.assign(taken)
            return super().publish(spans)

    stage.sink = TakesPartitionAway(log, stage.source)

    stage.processor().run()

    assert Counter(places(log)) == Counter((n % 2, n // 2) for n in range(40))


def test_verdicts_are_kept_only_after_the_commit(tmp_path: Path) -> None:
    log = a_log(events=3)
    stage = Stage(tmp_path, log)

    class ChecksVerdicts(InMemorySink):
        def publish(self, spans: list[DecidedSpan]) -> Published:
            assert stage.verdicts.kept == {}
            return super().publish(spans)

    stage.sink = ChecksVerdicts(log, stage.source)

    stage.processor().run()

    assert len(stage.verdicts.kept) == 3


def test_a_record_that_was_rejected_can_be_asked_for_too(tmp_path: Path) -> None:
    log = InMemoryLog()
    log.append(b'{"id": "evt-1", "tenant": "acme", "text": " "}')
    log.append(b"not JSON")
    log.append(b'{"id": "evt-1", "tenant": "acme", "text": "Hello"}')
    log.append(b'{"id": "evt-1", "tenant": "acme", "text": 5}')
    stage = Stage(tmp_path, log)

    stage.processor().run()

    rejected = stage.verdicts.kept.pop(("", "chat.events/0/1"))
    [(name, decided)] = stage.verdicts.kept.items()
    assert rejected == Rejection(None, "chat.events/0/1", "bad_json")
    assert name == ("acme", "evt-1")
    assert isinstance(decided, EncodedDecision)


def test_a_lost_device_stops_the_loop_with_nothing_committed(tmp_path: Path) -> None:
    def lose_device(_: Sequence[Turn]) -> Scores:
        raise ScorerUnavailableError("the device is lost")

    stage = Stage(tmp_path, a_log(events=3), scorer=ScriptedScorer(lose_device))

    with pytest.raises(ScorerUnavailableError, match="the device is lost"):
        stage.processor().run()

    assert stage.log.outcomes == []
    assert stage.log.committed == {}


def test_too_many_dead_letters_stop_the_loop_before_they_are_published(tmp_path: Path) -> None:
    log = InMemoryLog()
    for _ in range(1_100):
        log.append(b"{")
    stage = Stage(tmp_path, log)

    with pytest.raises(DeadLetterLimitError):
        stage.processor(max_events=400, dead_letter_limit=DeadLetterLimit(0.5)).run()

    assert len(log.outcomes) == log.committed[Partition("chat.events", 0)] < 1_000


def test_asked_to_stop_it_publishes_what_is_in_flight_and_leaves_what_is_in_no_window_yet(tmp_path: Path) -> None:
    log = a_log(events=100)
    stage = Stage(tmp_path, log)
    is_draining = threading.Event()

    def score_while_draining(_: Sequence[Turn]) -> Scores:
        stage.stop.set()
        is_draining.wait(PATIENCE_S)
        return some_scores()

    class ReportsDraining(CountingObserver):
        def draining(self) -> None:
            is_draining.set()

    stage.scorer = ScriptedScorer(score_while_draining)
    stage.observer = ReportsDraining()

    stage.processor(max_events=5).run()

    assert log.committed == {Partition("chat.events", 0): 5}
    assert places(log) == [(0, n) for n in range(5)]


def test_what_cannot_be_published_while_draining_stops_it_after_the_timeout(tmp_path: Path) -> None:
    log = a_log(events=5)
    stage = Stage(tmp_path, log)

    class NeverPublishes(InMemorySink):
        def publish(self, spans: list[DecidedSpan]) -> Published:
            stage.stop.set()
            stage.clock.advance(10)
            return super().publish(spans)

    sink = NeverPublishes(log, stage.source, failures=1_000)
    stage.sink = sink

    with pytest.raises(StoppedError, match="`drain_timeout_s`, 30 s"):
        stage.processor().run()

    assert log.outcomes == []
    assert sink.attempts == 5  # the one before it was asked to stop, and four within the 30 s


class AwaitsTheNext(InMemorySink):
    """Publishes once the next window is scored, and notes whether it came to that."""

    def __init__(self, log: InMemoryLog, source: InMemorySource, is_next_scored: threading.Event) -> None:
        super().__init__(log, source)
        self.seen: list[bool] = []
        self._is_next_scored = is_next_scored

    def publish(self, spans: list[DecidedSpan]) -> Published:
        self.seen.append(self._is_next_scored.wait(PATIENCE_S))
        return super().publish(spans)


def test_the_next_window_is_scored_while_one_is_published(tmp_path: Path) -> None:
    log = a_log(events=10)
    stage = Stage(tmp_path, log)
    is_next_scored = threading.Event()

    def report_the_next(conversation: Sequence[Turn]) -> Scores:
        if conversation[-1].content == "text 5":
            is_next_scored.set()
        return some_scores()

    stage.scorer = ScriptedScorer(report_the_next)
    stage.sink = sink = AwaitsTheNext(log, stage.source, is_next_scored)

    stage.processor(max_events=5).run()

    assert sink.seen == [True, True]


class CountsEvents(CountingObserver):
    def __init__(self) -> None:
        super().__init__()
        self.windows: list[int] = []

    def published(self, committed: Sequence[DecidedSpan], score_s: float, publish_s: float) -> None:
        self.windows.append(sum(len(span.items) for span in committed))


class AwaitsRecords(InMemorySource):
    """Takes the whole time of a poll where no record is there."""

    def __init__(self, log: InMemoryLog, clock: ManualClock, *, records_per_poll: int) -> None:
        super().__init__(log, records_per_poll=records_per_poll)
        self._clock = clock

    def poll(self, timeout_ms: int) -> list[PolledSpan]:
        polled = super().poll(timeout_ms)
        self._clock.advance(0.0 if polled else timeout_ms / 1_000)
        return polled


class TakesAWhile(InMemorySink):
    """Publishes in 20 ms, longer than the scorer needs: that is done when these begin."""

    def __init__(self, log: InMemoryLog, source: InMemorySource, clock: ManualClock, scoring: ScoringThread) -> None:
        super().__init__(log, source)
        self._clock = clock
        self._scoring = scoring

    def publish(self, spans: list[DecidedSpan]) -> Published:
        await_condition(lambda: self._scoring.busy_since_s is None)
        self._clock.advance(0.02)
        return super().publish(spans)


def test_where_publishing_takes_longer_than_scoring_all_that_came_meanwhile_is_one_window(tmp_path: Path) -> None:
    log = a_log(events=6)
    stage = Stage(tmp_path, log)
    stage.observer = observer = CountsEvents()

    stage.source = AwaitsRecords(log, stage.clock, records_per_poll=1)
    scoring = ScoringThread()
    stage.sink = TakesAWhile(log, stage.source, stage.clock, scoring)

    stage.processor(scoring=scoring).run()

    assert observer.windows == [1, 5]


def test_in_a_backlog_a_window_collects_several_polls(tmp_path: Path) -> None:
    log = a_log(events=4 * MANY_EVENTS)
    stage = Stage(tmp_path, log)
    stage.observer = observer = CountsEvents()
    stage.source = AwaitsRecords(log, stage.clock, records_per_poll=MANY_EVENTS)
    scoring = ScoringThread()
    stage.sink = TakesAWhile(log, stage.source, stage.clock, scoring)

    stage.processor(max_events=4 * MANY_EVENTS, scoring=scoring).run()

    assert max(observer.windows) == 2 * MANY_EVENTS


def test_where_scoring_takes_longer_than_publishing_the_next_window_is_scored_meanwhile(tmp_path: Path) -> None:
    log = a_log(events=2)
    stage = Stage(tmp_path, log)
    polls: list[int] = []
    has_polled_again, is_next_scored = threading.Event(), threading.Event()

    class GivesOneAtATime(InMemorySource):
        def poll(self, timeout_ms: int) -> list[PolledSpan]:
            polls.append(timeout_ms)
            if len(polls) > 2:
                has_polled_again.set()
            return super().poll(timeout_ms)

    def take_longer(conversation: Sequence[Turn]) -> Scores:
        has_polled_again.wait(PATIENCE_S)
        stage.clock.advance(0.05)
        if conversation[-1].content == "text 1":
            is_next_scored.set()
        return some_scores()

    stage.scorer = ScriptedScorer(take_longer)
    stage.source = GivesOneAtATime(log, records_per_poll=1)
    stage.sink = sink = AwaitsTheNext(log, stage.source, is_next_scored)

    stage.processor().run()

    assert sink.seen == [True, True]


def test_windows_shrink_to_what_a_slow_model_scores_in_some_seconds(tmp_path: Path) -> None:
    log = InMemoryLog()
    for number in range(100):
        log.append(an_event_json(text=f"{number:0336}"))  # a hundred tokens, by the guess
    stage = Stage(tmp_path, log)
    windows: list[int] = []

    def take_a_second(_: Sequence[Turn]) -> Scores:
        stage.clock.advance(1)
        return some_scores()

    class RecordsWindows(CountingObserver):
        def published(self, committed: Sequence[DecidedSpan], score_s: float, publish_s: float) -> None:
            windows.append(round(score_s))

    stage.scorer, stage.observer = ScriptedScorer(take_a_second), RecordsWindows()

    stage.processor(max_events=4_000).run()

    assert windows == [10, *[5] * 18]


def test_while_the_scorer_works_and_the_buffer_is_full_it_polls_and_reports_a_window_in_flight(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, a_log(events=30))
    may_score = threading.Event()
    polls: list[int] = []
    waits: list[bool] = []

    def hold(_: Sequence[Turn]) -> Scores:
        may_score.wait(PATIENCE_S)
        return some_scores()

    class RecordsPolls(InMemorySource):
        def poll(self, timeout_ms: int) -> list[PolledSpan]:
            polls.append(len(waits))
            return super().poll(timeout_ms)

    class LetsTimePass(CountingObserver):
        def loop_iterated(
            self, *, scoring_since_s: float | None, oldest: Callable[[], Mapping[Partition, int]]
        ) -> None:
            waits.append(scoring_since_s is not None)
            stage.clock.advance(1.5 * MAX_POLL_GAP_S)
            if len(waits) == 3:
                may_score.set()

    stage.scorer = ScriptedScorer(hold)
    stage.source = RecordsPolls(stage.log, records_per_poll=10)
    stage.sink = InMemorySink(stage.log, stage.source)
    stage.observer = LetsTimePass()

    stage.processor(max_events=5).run()

    assert polls[:3] == [0, 1, 2]
    assert waits[:3] == [True, True, True]


@pytest.mark.parametrize(("max_events", "longest_wait_s"), [(10, 0.02), (5, 0.05)], ids=["room", "no room"])
def test_while_the_scorer_works_the_loop_waits_for_its_result_and_never_for_records(
    tmp_path: Path, max_events: int, longest_wait_s: float
) -> None:
    poll_timeouts_ms: list[int] = []
    waits_s: list[float] = []
    release = threading.Event()

    class RecordsTimeouts(InMemorySource):
        def poll(self, timeout_ms: int) -> list[PolledSpan]:
            if scoring.has_window and not release.is_set():
                poll_timeouts_ms.append(timeout_ms)
            return super().poll(timeout_ms)

    class RecordsWaits(ScoringThread):
        def take(self, timeout_s: float) -> ScoredWindow | None:
            if self.has_window and not release.is_set():
                waits_s.append(timeout_s)
                stage.clock.advance(MAX_POLL_GAP_S)
                if len(waits_s) == 5:
                    release.set()
            return super().take(timeout_s)

    def score(_: object) -> Scores:
        release.wait(PATIENCE_S)
        return some_scores()

    stage = Stage(tmp_path, log := a_log(events=10), scorer=ScriptedScorer(score))
    stage.source = RecordsTimeouts(log, records_per_poll=10)
    stage.sink = InMemorySink(log, stage.source)
    scoring = RecordsWaits()

    stage.processor(max_events=max_events, scoring=scoring).run()

    assert set(poll_timeouts_ms) == {0}
    assert set(waits_s) == {longest_wait_s}
    assert len(log.outcomes) == 10


def test_after_a_failed_publication_it_polls_before_the_next_though_nothing_more_fits(tmp_path: Path) -> None:
    log = a_log(events=100)
    stage = Stage(tmp_path, log)
    steps: list[str] = []

    class RecordsPolls(InMemorySource):
        def poll(self, timeout_ms: int) -> list[PolledSpan]:
            steps.append("polled")
            return super().poll(timeout_ms)

    class RecordsAttempts(InMemorySink):
        def publish(self, spans: list[DecidedSpan]) -> Published:
            published = super().publish(spans)
            steps.append("failed" if published.retry else "published")
            return published

    stage.source = RecordsPolls(log, records_per_poll=10)
    stage.sink = RecordsAttempts(log, stage.source, failures=5)

    stage.processor(max_events=5).run()

    assert [after for before, after in pairwise(steps) if before == "failed"] == ["polled"] * 5


def test_a_window_that_is_scored_and_not_published_yet_is_not_in_the_scorer(tmp_path: Path) -> None:
    log = a_log(events=5)
    stage = Stage(tmp_path, log)
    sink = InMemorySink(log, stage.source, failures=2)
    seen: list[tuple[int, bool]] = []

    class RecordsIterations(CountingObserver):
        def loop_iterated(
            self, *, scoring_since_s: float | None, oldest: Callable[[], Mapping[Partition, int]]
        ) -> None:
            seen.append((sink.attempts, scoring_since_s is not None))

    stage.sink, stage.observer = sink, RecordsIterations()

    stage.processor().run()

    assert seen[-2:] == [(2, False), (3, False)]


def test_an_idle_processor_asked_to_stop_ends_at_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_log())
    stage.source = InMemorySource(stage.log, is_finite=False)
    stage.stop.set()

    stage.processor().run()

    assert stage.log.outcomes == []


def test_memory_is_bounded_while_publishing_fails(tmp_path: Path) -> None:
    log = a_log(events=1_500)
    stage = Stage(tmp_path, log)
    given: list[int] = []

    class CountsPolled(InMemorySink):
        def publish(self, spans: list[DecidedSpan]) -> Published:
            given.append(stage.observer.counts["lines"])
            return super().publish(spans)

    stage.sink = CountsPolled(log, stage.source, failures=100)

    stage.processor(max_events=50).run()

    # one window being published, one scored, one collected, and one poll over
    assert max(given[:100]) <= 3 * 50 + 2 * 10
    assert len(log.outcomes) == 1_500


@pytest.mark.parametrize("fault", [ValueError("quotes: text 7"), KeyError("text 7"), RecursionError()])
def test_an_event_whose_scoring_always_crashes_is_set_aside_and_the_others_are_decided(
    tmp_path: Path, fault: Exception
) -> None:
    def crash(conversation: Sequence[Turn]) -> Scores:
        if conversation[-1].content == "text 7":
            raise fault
        return some_scores()

    stage = Stage(tmp_path, a_log(events=20), scorer=ScriptedScorer(crash))

    stage.processor().run()

    dead_letters = {record.offset: each for record, each in stage.log.outcomes if isinstance(each, DeadLetter)}
    assert places(stage.log) == [(0, n) for n in range(20)]
    assert [(offset, letter.reason) for offset, letter in dead_letters.items()] == [(7, "crashed_scorer")]
    assert type(fault).__name__ in dead_letters[7].error
    assert "text 7" not in dead_letters[7].error


def test_an_event_that_cannot_be_decided_on_is_set_aside(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_log(events=3), scorer=ScriptedScorer(lambda _: Scores((0.5,), (1.0,), truncated=False)))

    stage.processor().run()

    assert [each.reason for _, each in stage.log.outcomes if isinstance(each, DeadLetter)] == ["crashed_scorer"] * 3


def test_a_decision_that_can_never_be_published_is_a_dead_letter_for_everybody(tmp_path: Path) -> None:
    log = a_log(events=2)
    stage = Stage(tmp_path, log)
    stage.sink = InMemorySink(log, stage.source, limit_bytes=10)

    stage.processor().run()

    assert [each.reason for _, each in log.outcomes if isinstance(each, DeadLetter)] == ["too_large", "too_large"]
    assert {kept.reason for kept in stage.verdicts.kept.values() if isinstance(kept, Rejection)} == {"too_large"}
    assert len(stage.verdicts.kept) == 2
    assert (stage.observer.counts["dead_letters"], stage.observer.counts["allowed"]) == (2, 0)


NAMES = ("id", "tenant", "channel", "user", "conversation_id", "locale", "role", "time", "metadata")
ODD_VALUES = ("18446744073709551616", "1" + "0" * 400, "-1e999", "true", "[1]", '{"a": 1e999}', '""', "null")
WAYS_TO_READ = (
    b'{"text": "hi", "%b": %b}',
    b'{"text": "hi \\ud83d", "%b": %b}',
    b'\xef\xbb\xbf{"text": "hi", "%b": %b}',
)


def test_no_odd_field_stops_the_stream(tmp_path: Path) -> None:
    log = InMemoryLog()
    for way, name, value in product(WAYS_TO_READ, NAMES, ODD_VALUES):
        log.append(way % (name.encode(), value.encode()))
    log.append(an_event_json(id="behind"))
    stage = Stage(tmp_path, log)

    stage.processor().run()

    outcomes = [outcome for _, outcome in log.outcomes]
    assert {each.reason for each in outcomes if isinstance(each, DeadLetter)} == {"bad_schema"}
    assert len(outcomes) == len(WAYS_TO_READ) * len(NAMES) * len(ODD_VALUES) + 1
    assert isinstance(outcomes[-1], EncodedDecision)


def test_all_of_a_window_is_decided_by_the_policies_in_effect_when_it_started(tmp_path: Path) -> None:
    log = a_log(events=20)
    stage = Stage(tmp_path, log)
    before = load_policies(tmp_path)
    (tmp_path / "safety.yaml").write_text(POLICY_FILES["safety.yaml"].replace("0.30", "0.31"))
    after = load_policies(tmp_path)

    def swap_within_the_second_window(conversation: Sequence[Turn]) -> Scores:
        if conversation[-1].content == "text 5":
            stage.decider = Decider(after, stage.scorer.identity)
        return some_scores()

    stage.scorer = ScriptedScorer(swap_within_the_second_window)

    stage.processor(max_events=5).run()

    decisions = [outcome for _, outcome in log.outcomes if isinstance(outcome, EncodedDecision)]
    assert [decision.snapshot for decision in decisions] == [before.snapshot] * 10 + [after.snapshot] * 10


def test_the_oldest_event_that_is_not_committed_is_looked_for_in_all_places(tmp_path: Path) -> None:
    log = InMemoryLog()
    for number in range(30):
        record = log.append(an_event_json(text=f"text {number}"))
        log.records[Partition("chat.events", 0)][-1] = record._replace(timestamp_ms=1_000 + number)
    stage = Stage(tmp_path, log)
    stage.sink = sink = InMemorySink(log, stage.source, failures=3)
    seen: list[tuple[int, int | None]] = []

    class RecordsTheOldest(CountingObserver):
        def loop_iterated(
            self, *, scoring_since_s: float | None, oldest: Callable[[], Mapping[Partition, int]]
        ) -> None:
            seen.append((len(log.outcomes), oldest().get(Partition("chat.events", 0))))

    stage.observer = RecordsTheOldest()

    stage.processor(max_events=5).run()

    assert sink.attempts > 3
    assert {oldest for done, oldest in seen if done < 30} == {1_000 + done for done, _ in seen if done < 30}
    assert seen[-1] == (30, None)
