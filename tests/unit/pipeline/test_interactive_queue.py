"""Requests that wait for scores: what is taken in, dropped, answered, and in which order."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from prometheus_client import CollectorRegistry

from moderator.errors import ScorerUnavailableError
from moderator.events import DeadLetter, Scores, Turn, Unscored
from moderator.observability.metrics import Metrics
from moderator.pipeline.interactive_queue import GIVE_WAY_S, LATELY_S, Answer, Ask, InteractiveQueue, QueueFullError
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.pipeline.window import ScoredEvent
from moderator.testing import ManualClock, ScriptedScorer
from tests.builders import a_turn, an_event, some_scores
from tests.unit.pipeline.dict_cache import DictCache
from tests.waiting import PATIENCE_S, await_condition

ROOM = 10


def by_length(conversation: Sequence[Turn]) -> Scores | Unscored:
    content = conversation[-1].content
    if content == "poison":
        raise ValueError(content)
    return some_scores(float(len(content)), 0.0)


class Desk:
    """A queue whose scoring thread is the test's own, unless it is started."""

    def __init__(self, scoring: ScoringThread) -> None:
        self.clock = ManualClock()
        self.scorer = ScriptedScorer(by_length)
        self.cache = DictCache()
        self.metrics = Metrics(CollectorRegistry())
        self.answers: list[Answer] = []
        self.scoring = scoring
        self.blocker = threading.Event()
        scoring.run_soon(lambda: self.blocker.wait(PATIENCE_S))
        self.queue = InteractiveQueue(
            scoring, self.scorer, self.cache, most_texts=ROOM, metrics=self.metrics.http, clock=self.clock
        )

    def ask(self, *texts: str, deadline_s: float = 10.0) -> Ask:
        now_s = self.clock.monotonic_s()
        events = [an_event(a_turn(text)) for text in texts]
        ask = Ask(events, now_s, now_s + deadline_s, self.answers.append)
        self.queue.submit(ask)
        return ask

    def waiting(self) -> float | None:
        return self.metrics.registry.get_sample_value("moderator_http_queue_events")

    def taken(self, most_tokens: int = 100) -> list[str]:
        prompts = self.queue.take(most_tokens)
        return [self.scorer._conversations[prompt.score_key][-1].content for prompt in prompts]

    def give_all(self) -> None:
        keys = list(self.queue._in_pass)
        self.queue.give({key: by_length(self.scorer._conversations[key]) for key in keys}, 0.5)


@pytest.fixture
def desk() -> Iterator[Desk]:
    with closing(ScoringThread()) as scoring:
        desk = Desk(scoring)
        yield desk
        desk.blocker.set()


def lengths(answer: Answer) -> list[float]:
    scored = [result.scores for result in answer.results if isinstance(result, ScoredEvent)]
    return [scores[0].rewards[0] for scores in scored if not isinstance(scores, Unscored)]


def test_a_request_is_answered_with_the_scores_of_its_events_in_their_order(desk: Desk) -> None:
    desk.ask("one", "four4", "of6666")
    desk.blocker.set()

    await_condition(lambda: bool(desk.answers))

    assert lengths(desk.answers[0]) == [3.0, 5.0, 6.0]
    assert desk.waiting() == 0


def test_prompts_are_taken_in_order_of_arrival_up_to_the_tokens_allowed(desk: Desk) -> None:
    desk.ask("a", "b")
    desk.ask("c")

    assert [desk.taken(2), desk.taken(2), desk.taken(2)] == [["a", "b"], ["c"], []]


def test_what_is_held_is_not_scored_until_it_is_released(desk: Desk) -> None:
    desk.queue.hold()
    desk.ask("one")
    desk.blocker.set()
    desk.scoring.call(lambda: None)  # all that was passed on is done

    assert not desk.answers
    assert desk.taken() == []
    desk.queue.release()
    await_condition(lambda: bool(desk.answers))


def test_the_streams_thread_waits_until_nobody_waits_for_an_answer(desk: Desk) -> None:
    desk.ask("one")
    gone_on = threading.Event()

    def work_on() -> None:
        while not desk.answers:
            desk.queue.give_way()
        gone_on.set()

    threading.Thread(target=work_on, daemon=True).start()
    assert not gone_on.wait(3 * GIVE_WAY_S)
    desk.blocker.set()

    assert gone_on.wait(PATIENCE_S)


def test_giving_way_takes_no_time_while_nobody_waits_or_nothing_may_be_scored(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderator.pipeline.interactive_queue.GIVE_WAY_S", 1_000.0)

    desk.queue.give_way()
    desk.queue.hold()
    held = desk.ask("held")
    desk.queue.give_way()
    desk.queue.release()
    desk.queue.drop(held)
    desk.queue.give_way()


def test_the_first_prompt_is_given_however_long_it_is(desk: Desk) -> None:
    desk.ask("a", "b")

    assert desk.taken(0) == ["a"]


def test_a_text_that_is_in_the_cache_costs_no_pass(desk: Desk) -> None:
    desk.ask("seen")
    desk.taken()
    desk.give_all()
    desk.ask("seen")

    taken = desk.taken()

    assert taken == []
    first, second = (answer.results[0] for answer in desk.answers)
    assert isinstance(first, ScoredEvent)
    assert isinstance(second, ScoredEvent)
    assert (first.cached, second.cached) == (False, True)
    assert first.scores == second.scores


def test_equal_texts_of_several_requests_are_scored_once(desk: Desk) -> None:
    desk.ask("same", "other")
    desk.ask("same")
    first = desk.taken()
    desk.ask("same")

    later = desk.taken()
    desk.give_all()

    assert (first, later) == (["same", "other"], [])
    assert len(desk.answers) == 3


def test_what_does_not_fit_into_the_queue_is_refused_whole(desk: Desk) -> None:
    desk.ask(*map(str, range(ROOM - 1)))

    with pytest.raises(QueueFullError):
        desk.ask("one", "two")

    desk.ask("one")
    assert desk.waiting() == ROOM


def test_a_text_that_is_in_a_pass_leaves_room_for_others(desk: Desk) -> None:
    desk.ask(*map(str, range(ROOM)))

    desk.taken(4)

    assert desk.waiting() == ROOM - 4


def test_a_request_that_was_dropped_leaves_the_queue_at_once_and_meets_no_pass(desk: Desk) -> None:
    dropped = desk.ask("gone1", "gone2")
    desk.ask("here")

    desk.queue.drop(dropped)

    assert desk.waiting() == 1
    assert desk.taken() == ["here"]


def test_a_request_dropped_in_its_pass_is_scored_and_cached_and_not_answered(desk: Desk) -> None:
    ask = desk.ask("text")
    desk.taken()

    desk.queue.drop(ask)
    desk.give_all()

    assert desk.answers == []
    assert len(desk.cache.scores) == 1


def test_a_text_whose_deadline_has_passed_meets_no_pass(desk: Desk) -> None:
    desk.ask("late", deadline_s=1)
    desk.clock.advance(0.5)
    desk.ask("in time", deadline_s=1)
    desk.clock.advance(0.6)

    assert desk.taken() == ["in time"]


def test_a_text_with_nothing_to_judge_is_answered_so_without_a_pass(desk: Desk) -> None:
    desk.ask(" ", "text")

    taken = desk.taken()
    desk.give_all()

    assert taken == ["text"]
    assert desk.answers[0].results[0] == DeadLetter("no_text", "the judged message has no visible text")
    assert desk.waiting() == 0


def test_a_text_that_triggers_a_fault_of_ours_fails_alone(desk: Desk) -> None:
    desk.ask("poison", "text")
    desk.ask("other")
    desk.blocker.set()

    await_condition(lambda: len(desk.answers) == 2)

    by_size = sorted(desk.answers, key=lambda answer: len(answer.results))
    fault, text = by_size[1].results
    assert isinstance(fault, DeadLetter)
    assert fault.reason == "crashed_scorer"
    assert "poison" not in fault.error
    assert isinstance(text, ScoredEvent)
    assert isinstance(by_size[0].results[0], ScoredEvent)


def test_texts_came_lately_for_ten_seconds(desk: Desk) -> None:
    before = desk.queue.came_lately
    desk.ask("text")
    at_once = desk.queue.came_lately
    desk.clock.advance(LATELY_S)

    assert (before, at_once, desk.queue.came_lately) == (False, True, False)


def test_the_time_that_it_should_take_to_empty_is_learned(desk: Desk) -> None:
    desk.ask("first")
    desk.taken()
    desk.give_all()
    for number in range(20):
        desk.ask(f"text {number}")
        desk.taken()
        desk.clock.advance(2.0)
        desk.give_all()

    desk.ask("a", "b", "c")

    assert desk.queue.empty_in_s == pytest.approx(6.0, rel=0.1)


def test_a_lost_device_is_known_to_whoever_takes_a_window_and_leaves_no_request_without_an_answer(desk: Desk) -> None:
    def lose_device(_: Sequence[Turn]) -> Scores:
        raise ScorerUnavailableError("the device is lost")

    desk.scorer._script = lose_device
    desk.ask("text")
    desk.blocker.set()
    await_condition(lambda: desk.scoring.failure is not None)

    with pytest.raises(ScorerUnavailableError, match="the device is lost"):
        desk.scoring.take(0)
    desk.queue.close()

    [answer] = desk.answers
    assert isinstance(answer.results[0], DeadLetter)
    assert answer.results[0].reason == "crashed_scorer"


def test_waits_are_measured_to_the_start_of_the_pass(desk: Desk) -> None:
    desk.ask("text")
    desk.clock.advance(3.0)

    desk.taken()

    assert desk.metrics.http.wait_seconds._sum.get() == 3.0
