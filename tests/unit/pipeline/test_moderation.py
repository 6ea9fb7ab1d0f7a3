from collections.abc import Sequence
from pathlib import Path

import pytest

from moderator.events import (
    ChatEvent,
    DeadLetter,
    EventReading,
    Partition,
    PartitionSpan,
    Scores,
    Turn,
    Unscored,
)
from moderator.pipeline.decision import Decider, Timestamps
from moderator.pipeline.moderation import (
    AT_A_TIME,
    READ_AT_ONCE,
    Window,
    decide_window,
    read_span,
    score_events,
    score_window,
)
from moderator.pipeline.ports import ScoreCache, Scorer
from moderator.pipeline.window import Entry, ScoredEvent
from moderator.settings import Settings
from moderator.testing import ManualClock, ScriptedScorer
from tests.builders import a_model, a_record, a_turn, an_event, an_event_json, some_policies, some_scores
from tests.unit.pipeline.dict_cache import DictCache
from tests.unit.pipeline.noted_texts import NotedTexts


def length_scores(conversation: Sequence[Turn]) -> Scores | Unscored:
    content = conversation[-1].content
    return Unscored("not finite") if content == "nan" else some_scores(float(len(content)), 0.0)


def scored_events(events: Sequence[ChatEvent], scorer: Scorer, cache: ScoreCache) -> list[ScoredEvent]:
    scored = score_events(events, scorer, cache)
    assert not any(isinstance(each, DeadLetter) for each in scored)
    return [each for each in scored if isinstance(each, ScoredEvent)]


def test_no_events_ask_neither_model_nor_cache() -> None:
    scorer = ScriptedScorer(length_scores)

    assert score_events([], scorer, DictCache()) == []
    assert scorer.scored == []


def test_scores_come_in_the_order_of_the_events() -> None:
    events = [an_event(a_turn("x" * n)) for n in (3, 1, 2)]

    scored = scored_events(events, ScriptedScorer(length_scores), DictCache())

    assert [each.scores for each in scored] == [(some_scores(length, 0.0),) for length in (3.0, 1.0, 2.0)]


def test_equal_content_in_one_window_is_scored_once() -> None:
    scorer = ScriptedScorer(length_scores)
    events = [an_event(a_turn("same"), id="1"), an_event(a_turn("other"), id="2"), an_event(a_turn("same"), id="3")]

    scored = scored_events(events, scorer, DictCache())

    assert [len(prompts) for prompts in scorer.scored] == [2]
    assert scored[0] == scored[2]
    assert not scored[2].cached


def test_content_scored_before_is_taken_from_the_cache_and_says_so() -> None:
    scorer, cache = ScriptedScorer(length_scores), DictCache()
    score_events([an_event(a_turn("seen"))], scorer, cache)

    scored = scored_events([an_event(a_turn("seen")), an_event(a_turn("new"))], scorer, cache)

    assert [each.cached for each in scored] == [True, False]
    assert [len(prompts) for prompts in scorer.scored] == [1, 1]


@pytest.fixture
def decider(tmp_path: Path) -> Decider:
    return Decider(some_policies(tmp_path), a_model())


def a_window(events: Sequence[ChatEvent | DeadLetter], decider: Decider) -> Window:
    entries = [Entry(a_record(offset=n), event, polled_at_s=0.0) for n, event in enumerate(events)]
    return Window([PartitionSpan(Partition("chat.events", 0), 1, len(entries), entries)], decider)


def test_a_window_knows_how_much_of_it_had_to_be_scored(decider: Decider) -> None:
    scorer, cache = ScriptedScorer(length_scores), DictCache()
    events = [an_event(a_turn(letter * 400)) for letter in "aabä"]  # of two bytes, the last one
    score_window(a_window(events[2:3], decider), scorer, cache, ManualClock())

    scored = score_window(a_window(events, decider), scorer, cache, ManualClock())

    assert scored.fresh_tokens == (100 + 16) + (200 + 16)  # 8 for the turn, 8 for the whole


def test_each_entry_gets_the_scores_of_its_own_event_and_a_dead_letter_gets_none(decider: Decider) -> None:
    unreadable = DeadLetter("bad_json", "not JSON")
    events: list[ChatEvent | DeadLetter] = [
        an_event(a_turn("x")),
        unreadable,
        an_event(a_turn("xxx")),
        unreadable,
        an_event(a_turn("xx")),
    ]
    window = a_window(events, decider)

    score_window(window, ScriptedScorer(length_scores), DictCache(), ManualClock())

    expected = [(some_scores(1.0, 0.0),), None, (some_scores(3.0, 0.0),), None, (some_scores(2.0, 0.0),)]
    assert [entry.scored and entry.scored.scores for entry in window.entries] == expected  # type: ignore[union-attr]


def test_truncation_is_recorded_for_each_event_though_the_scores_are_shared() -> None:
    cache = DictCache()
    whole = [an_event(a_turn("reads alike"))]
    score_events(whole, ScriptedScorer(length_scores), cache)

    class Cutting(ScriptedScorer):
        def read(self, conversations: Sequence[Sequence[Turn]]) -> list[EventReading]:
            return [reading._replace(cut="context") for reading in super().read(conversations)]

    [scored] = scored_events(whole, Cutting(length_scores), cache)

    assert scored.cached
    assert scored.reading.cut == "context"


def test_a_judged_message_that_nobody_sees_is_a_dead_letter_and_costs_no_scoring() -> None:
    scorer = ScriptedScorer(length_scores)

    unseen, seen = score_events([an_event(a_turn(" ")), an_event(a_turn("x"))], scorer, DictCache())

    assert unseen == DeadLetter("no_text", "the judged message has no visible text")
    assert isinstance(seen, ScoredEvent)
    assert [len(prompts) for prompts in scorer.scored] == [1]


class InTwo(ScriptedScorer):
    """Reads the two halves of a message as passages."""

    def read(self, conversations: Sequence[Sequence[Turn]]) -> list[EventReading]:
        halves = [[turns[-1].content[:1], turns[-1].content[1:]] for turns in conversations]
        read = super().read([[a_turn(half)] for each in halves for half in each])
        return [EventReading(read[at].passages + read[at + 1].passages) for at in range(0, len(read), 2)]


def test_each_passage_is_scored_and_cached_like_a_message_of_its_own() -> None:
    scorer, cache = InTwo(length_scores), DictCache()
    scored_events([an_event(a_turn("a"))], ScriptedScorer(length_scores), cache)

    first, second = scored_events([an_event(a_turn("abcd")), an_event(a_turn("xbcd"))], scorer, cache)

    assert first.scores == second.scores == (some_scores(1.0, 0.0), some_scores(3.0, 0.0))
    assert [len(prompts) for prompts in scorer.scored] == [2]
    assert not first.cached
    assert scored_events([an_event(a_turn("abcd"))], scorer, cache)[0].cached


def test_an_event_of_which_one_passage_could_not_be_scored_has_no_scores() -> None:
    [scored] = scored_events([an_event(a_turn("xnan"))], InTwo(length_scores), DictCache())

    assert scored.scores == Unscored("not finite")


def test_what_could_not_be_scored_is_not_cached() -> None:
    cache = DictCache()

    [scored] = scored_events([an_event(a_turn("nan"))], ScriptedScorer(length_scores), cache)

    assert scored.scores == Unscored("not finite")
    assert cache.scores == {}


def test_of_two_events_the_one_whose_scoring_always_crashes_is_set_aside_alone(decider: Decider) -> None:
    def crash(conversation: Sequence[Turn]) -> Scores:
        if conversation[-1].content == "bad":
            raise ValueError
        return some_scores()

    window = a_window([an_event(a_turn("bad")), an_event(a_turn("good"))], decider)

    score_window(window, ScriptedScorer(crash), DictCache(), ManualClock())

    assert [isinstance(entry.scored, DeadLetter) for entry in window.entries] == [True, False]


def test_a_record_that_reading_crashes_on_is_set_aside_alone() -> None:
    class CrashingValue(bytes):
        def __len__(self) -> int:
            raise ValueError("quotes: hello")

    records = [a_record(CrashingValue(b"{}"), offset=0), a_record(an_event_json(), offset=1)]
    span = PartitionSpan(Partition("chat.events", 0), 1, 2, records)

    crashed, read = (entry.event for entry in read_span(span, 0.0, Settings()).items)

    assert isinstance(crashed, DeadLetter)
    assert crashed.reason == "crashed_scorer"
    assert "ValueError" in crashed.error
    assert "hello" not in crashed.error
    assert isinstance(read, ChatEvent)


def test_requests_are_served_while_a_window_is_read_and_do_not_count_in_its_time(decider: Decider) -> None:
    requests = NotedTexts(serve_s=2.0)
    events = [an_event(a_turn(f"text {number}")) for number in range(2 * READ_AT_ONCE + 1)]

    scored = score_window(
        a_window(events, decider), ScriptedScorer(length_scores), DictCache(), ManualClock(), requests
    )

    assert requests.calls == 3 * ["serve"]
    assert scored.interactive_s == 6.0
    assert all(isinstance(entry.scored, ScoredEvent) for entry in scored.window.entries)


def test_the_streams_thread_lets_requests_go_first_every_few_events(decider: Decider) -> None:
    requests = NotedTexts()
    records = [a_record(an_event_json(), offset=number) for number in range(2 * AT_A_TIME + 1)]
    polled = PartitionSpan(Partition("chat.events", 0), 1, len(records), records)

    window = Window([read_span(polled, 0.0, Settings(), requests)], decider)
    after_reading = len(requests.calls)
    scored = score_window(window, ScriptedScorer(length_scores), DictCache(), ManualClock())
    decided = decide_window(scored, Timestamps(0.0, 0.0, 0.0, "2026-11-30T00:00:00Z"), lambda *_: None, requests)

    assert after_reading == 3
    assert requests.calls == 6 * ["give_way"]
    assert len(decided[0].items) == len(records)
