"""Requests that wait for scores: HTTP's thread puts them in, the scoring thread lets them into the stream's passes."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from moderator.errors import ModeratorError
from moderator.events import ChatEvent, DeadLetter, EventReading, Prompt, Scores, Unscored
from moderator.observability.http_metrics import HttpMetrics
from moderator.pipeline.moderation import NO_TEXT, crashed, scored_event
from moderator.pipeline.ports import Clock, ScoreCache, Scorer
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.pipeline.window import ScoredEvent

LATELY_S: Final = 10.0
GIVE_WAY_S: Final = 0.02
_FIRST_GUESS_S: Final = 0.05
_SMOOTHING: Final = 0.2
_SCORING: Final = "scoring it"


class QueueFullError(Exception):
    """There is no room for all texts of a request."""


class Answer(NamedTuple):
    """What became of a request's events.

    Attributes:
        results: one for each event, in order; a dead letter for one whose text has nothing to judge, or whose scoring
            raised a fault of ours.
        started_at_s, ended_at_s: monotonic seconds around look-up and scoring.
    """

    results: list[ScoredEvent | DeadLetter]
    started_at_s: float
    ended_at_s: float


@dataclass(eq=False, slots=True)
class Ask:
    """One request's events.

    Attributes:
        deadline_s: monotonic; a text that is in no pass by then is dropped.
        answer: is called once, on the scoring thread, unless the ask is dropped.
        waiting: how many of its texts are in no pass yet; the queue's.
    """

    events: Sequence[ChatEvent]
    arrived_at_s: float
    deadline_s: float
    answer: Callable[[Answer], None]
    is_dropped: bool = False
    waiting: int = 0
    missing: int = 0
    started_at_s: float | None = None
    results: dict[int, ScoredEvent | DeadLetter] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class _Text:
    """One event of an ask, on its way through passes."""

    ask: Ask
    place: int
    reading: EventReading
    scores: dict[str, Scores | Unscored]
    missing: set[str]
    fresh: set[str] = field(default_factory=set)
    is_waiting: bool = True

    @property
    def keys(self) -> list[str]:
        return [passage.prompt.score_key for passage in self.reading.passages]


class _Wanted(NamedTuple):
    """A prompt, and every text that waits for its scores."""

    prompt: Prompt
    texts: list[_Text]


class InteractiveQueue:
    """Takes in requests on any thread; it is the `InteractiveTexts` of the scoring thread.

    Args:
        scoring: the thread that owns scorer and cache.
        most_texts: how many may wait for a pass.
    """

    def __init__(
        self,
        scoring: ScoringThread,
        scorer: Scorer,
        cache: ScoreCache,
        *,
        most_texts: int,
        metrics: HttpMetrics,
        clock: Clock,
    ) -> None:
        self._scoring = scoring
        self._scorer = scorer
        self._cache = cache
        self._most_texts = most_texts
        self._clock = clock
        self._wait_seconds = metrics.wait_seconds
        self._lock = threading.Lock()
        self._open: set[Ask] = set()
        self._nobody_waits = threading.Event()
        self._nobody_waits.set()
        self._waiting = 0
        self._is_scheduled = False
        self._came_at_s = float("-inf")
        self._inbox: deque[Ask] = deque()
        self._wanted: OrderedDict[str, _Wanted] = OrderedDict()
        self._in_pass: dict[str, _Wanted] = {}
        self._gave_at_s = float("-inf")
        self._seconds_a_text = _FIRST_GUESS_S
        self.spent_s = 0.0
        self._is_held = False
        metrics.queue_events.set_function(lambda: self._waiting)

    # any thread

    def submit(self, ask: Ask) -> None:
        """Take in a request of n >= 1 events; its answer is called later.

        Raises:
            QueueFullError: there is no room for all of its texts.
        """
        count = len(ask.events)
        with self._lock:
            if self._waiting + count > self._most_texts:
                raise QueueFullError
            self._waiting += count
            ask.waiting = ask.missing = count
            self._open.add(ask)
            self._nobody_waits.clear()
            must_wake, self._is_scheduled = not self._is_scheduled, True
        self._came_at_s = self._clock.monotonic_s()
        self._inbox.append(ask)
        if must_wake:
            self._scoring.run_soon(self._serve_job)

    def drop(self, ask: Ask) -> None:
        """Forget a request whose client does not wait any more; what is in a pass already is scored and cached."""
        ask.is_dropped = True
        with self._lock:
            self._end(ask)
            self._waiting -= ask.waiting
            ask.waiting = 0

    @property
    def empty_in_s(self) -> float:
        """How long the queue should take to empty."""
        return self._waiting * self._seconds_a_text

    def hold(self) -> None:
        """Score nothing until `release`, except for a pass that has started."""
        self._is_held = True

    def release(self) -> None:
        """Undo `hold`: score what has come meanwhile."""
        self._is_held = False
        self._scoring.run_soon(self._serve_job)

    def give_way(self) -> None:
        """Wait until nobody waits for an answer; see `InteractiveWork`."""
        if not self._nobody_waits.is_set() and not self._is_held:
            self._nobody_waits.wait(GIVE_WAY_S)

    # the scoring thread

    @property
    def came_lately(self) -> bool:
        """A text came within the last ten seconds."""
        return self._clock.monotonic_s() - self._came_at_s < LATELY_S

    def serve(self) -> None:
        """Score all that waits, in passes of their own.

        Raises:
            ScorerUnavailableError: the device failed.
        """
        while (self._inbox or self._wanted) and not self._is_held:
            self._scorer.score([], self)

    def take(self, most_tokens: int) -> list[Prompt]:
        """Remove the next prompts; see `InteractiveTexts`."""
        if self._is_held:
            return []
        if self._inbox:
            self._admit()
        prompts: list[Prompt] = []
        tokens = 0
        while self._wanted:
            key, (prompt, texts) = next(iter(self._wanted.items()))
            awaited = [text for text in texts if self._is_awaited(text.ask)]
            if awaited and prompts and tokens + len(prompt.token_ids) > most_tokens:
                break
            del self._wanted[key]
            if awaited:
                tokens += len(prompt.token_ids)
                prompts.append(prompt)
                self._in_pass[key] = _Wanted(prompt, awaited)
                for text in awaited:
                    self._begin_pass(text)
        return prompts

    def give(self, scores: Mapping[str, Scores | Unscored], seconds: float) -> None:
        """Take what a pass gave; see `InteractiveTexts`."""
        self.spent_s += seconds
        self._learn(len(scores))
        self._cache.put_many({key: each for key, each in scores.items() if isinstance(each, Scores)})
        for key, each in scores.items():
            for text in self._in_pass.pop(key).texts:
                text.scores[key] = each
                text.fresh.add(key)
                text.missing.discard(key)
                if not text.missing:
                    self._note(text.ask, text.place, scored_event(text.reading, text.scores, fresh=text.fresh))

    def fail(self, score_key: str, error: Exception) -> None:
        """Answer the requests that triggered a fault of ours; see `InteractiveTexts`."""
        for text in self._in_pass.pop(score_key).texts:
            self._note(text.ask, text.place, crashed(_SCORING, text.ask.events[text.place].id, error))

    def close(self) -> None:
        """Answer every request that is still open with a fault; the scoring thread has ended."""
        for ask in list(self._open):
            for place, event in enumerate(ask.events):
                if place not in ask.results:
                    ask.results[place] = DeadLetter(
                        "crashed_scorer", f"the scorer stopped before `{event.id}` was scored"
                    )
            self._answer(ask)

    def _serve_job(self) -> None:
        with self._lock:
            self._is_scheduled = False
        self.serve()

    def _admit(self) -> None:
        """Read what came, and look it up: what is in the cache needs no pass."""
        while self._inbox:
            ask = self._inbox.popleft()
            if self._is_awaited(ask):
                ask.started_at_s = self._clock.monotonic_s()
                self._look_up([text for place in range(len(ask.events)) if (text := self._read(ask, place))])
            else:
                self.drop(ask)

    def _read(self, ask: Ask, place: int) -> _Text | None:
        """Give the text; None where it is answered already: there is nothing to judge, or reading it raised."""
        event = ask.events[place]
        try:
            [reading] = self._scorer.read([event.conversation])
        except ModeratorError:
            raise
        except Exception as error:  # noqa: BLE001 - one text must stop neither the stream nor other requests
            self._settle(ask, place, crashed(_SCORING, event.id, error))
            return None
        if not reading.passages:
            self._settle(ask, place, NO_TEXT)
            return None
        return _Text(ask, place, reading, {}, set())

    def _look_up(self, texts: list[_Text]) -> None:
        prompts = {passage.prompt.score_key: passage.prompt for text in texts for passage in text.reading.passages}
        if not prompts:
            return
        found = dict(zip(prompts, self._cache.get_many(list(prompts)), strict=True))
        for text in texts:
            for key in text.keys:
                scores = found[key]
                if scores is None:
                    text.missing.add(key)
                    self._want(prompts[key], text)
                else:
                    text.scores[key] = scores
            if not text.missing:
                self._leave_queue(text)
                self._note(text.ask, text.place, scored_event(text.reading, text.scores, fresh=()))

    def _want(self, prompt: Prompt, text: _Text) -> None:
        key = prompt.score_key
        if key in self._in_pass:
            self._begin_pass(text)
        wanted = self._in_pass.get(key) or self._wanted.setdefault(key, _Wanted(prompt, []))
        if not wanted.texts or wanted.texts[-1] is not text:  # two of its passages may be equal
            wanted.texts.append(text)

    def _begin_pass(self, text: _Text) -> None:
        if text.is_waiting:
            self._wait_seconds.observe(self._clock.monotonic_s() - text.ask.arrived_at_s)
            self._leave_queue(text)

    def _leave_queue(self, text: _Text) -> None:
        text.is_waiting = False
        with self._lock:
            self._left(text.ask)

    def _left(self, ask: Ask) -> None:
        if ask.waiting:
            ask.waiting -= 1
            self._waiting -= 1

    def _settle(self, ask: Ask, place: int, result: DeadLetter) -> None:
        with self._lock:
            self._left(ask)
        self._note(ask, place, result)

    def _note(self, ask: Ask, place: int, result: ScoredEvent | DeadLetter) -> None:
        if place in ask.results:
            return
        ask.results[place] = result
        if len(ask.results) == len(ask.events) and not ask.is_dropped:
            self._answer(ask)

    def _answer(self, ask: Ask) -> None:
        with self._lock:
            self._end(ask)
        now_s = self._clock.monotonic_s()
        results = [ask.results[place] for place in range(len(ask.events))]
        ask.answer(Answer(results, ask.started_at_s or now_s, now_s))

    def _end(self, ask: Ask) -> None:
        self._open.discard(ask)
        if not self._open:
            self._nobody_waits.set()

    def _is_awaited(self, ask: Ask) -> bool:
        return not ask.is_dropped and self._clock.monotonic_s() < ask.deadline_s

    def _learn(self, texts: int) -> None:
        now_s = self._clock.monotonic_s()
        taken_s = min(now_s - self._gave_at_s, LATELY_S) / max(1, texts)
        self._gave_at_s = now_s
        self._seconds_a_text += _SMOOTHING * (taken_s - self._seconds_a_text)
