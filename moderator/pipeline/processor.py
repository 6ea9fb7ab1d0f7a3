"""The loop: poll, score, decide, publish; drain and shut down. Runs on the stream's thread.

Two windows are in flight where that pays (see `pacing`): while the scorer works on one, this thread publishes the one
before it and collects the next. Back-pressure pauses the source, but polls it every 100 ms all the same: the client
takes part in its consumer group only while it is polled, and the group removes a member that does not poll.
"""

import threading
from collections.abc import Callable
from math import ceil

from moderator.errors import DrainTimeoutError, StoppedError
from moderator.events import DeadLetter, DecidedSpan, Partition, iso_time
from moderator.observability.tracing.port import Tracing
from moderator.pipeline.careful_scoring import CarefulScoring
from moderator.pipeline.dead_letter_limit import DeadLetterLimit
from moderator.pipeline.decision import Decider, Timestamps
from moderator.pipeline.moderation import ScoredWindow, Window, decide_window, read_span, score_window
from moderator.pipeline.observer import StreamObserver
from moderator.pipeline.pacing import Pacing
from moderator.pipeline.ports import Clock, InteractiveWork, ScoreCache, Scorer, Sink, Source, Trials, VerdictCache
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.pipeline.window import Span, WindowBuffer
from moderator.scoring.adaptive_limit import AdaptiveLimit
from moderator.settings import Settings
from moderator.stream.identity import rejection_of

IDLE_POLL_MS = 100
BUSY_POLL_MS = 20
"""How long a retry of a publication waits for records, and a poll for the scorer."""
MAX_POLL_GAP_S = 0.1
WINDOW_S = 5.0
"""How long a window should take: more gains nothing and does harm, for decisions wait, health sees no progress, and a
drain takes too long.
"""
FIRST_WINDOW_TOKENS = 1_024


class Processor:
    """Moves events from a source to a sink, each decided exactly once.

    Args:
        scoring: the thread that loaded the scorer; it alone uses the scorer and the score cache from now on.
        current_decider: asked at the start of each window; a window keeps the decider that it started with.
        interactive: what requests wait for; None where nobody asks.
        trials: which events may have ended a process; None where nobody remembers.
        stop: set it to drain: windows in flight are published, records that are in no window yet are left for the
            next owner.

    Attributes:
        drain_until_s: when the drain must be over, monotonic; None before it has started.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        source: Source,
        sink: Sink,
        scoring: ScoringThread,
        scorer: Scorer,
        score_cache: ScoreCache,
        verdict_cache: VerdictCache,
        current_decider: Callable[[], Decider],
        observer: StreamObserver,
        clock: Clock,
        stop: threading.Event,
        dead_letter_limit: DeadLetterLimit | None,
        interactive: InteractiveWork | None = None,
        tracing: Tracing | None = None,
        trials: Trials | None = None,
    ) -> None:
        self._settings = settings
        self._source = source
        self._sink = sink
        self._verdict_cache = verdict_cache
        self._current_decider = current_decider
        self._observer = observer
        self._clock = clock
        self._stop = stop
        self._dead_letter_limit = dead_letter_limit
        self._interactive = interactive
        self._tracing = tracing
        self._careful = CarefulScoring(trials, scoring, interactive) if trials else None
        self._buffer = WindowBuffer(settings.window, scorer.identity)
        self._window_limit = AdaptiveLimit(
            settings.window.max_tokens, target_s=WINDOW_S, first_tokens=FIRST_WINDOW_TOKENS
        )
        self._scoring = scoring
        self._scorer = scorer
        self._score_cache = score_cache
        self._publishing: list[DecidedSpan] = []
        self._in_scorer: list[Span] = []
        self._publishing_since_s = 0.0
        self._scoring_s = 0.0
        self._pacing = Pacing()
        self._is_paused = False
        self._polled_at_s = clock.monotonic_s()
        self.drain_until_s: float | None = None

    def run(self) -> None:
        """Continue until the source is exhausted, or `stop` is set and the windows in flight are published.

        Raises:
            ScorerUnavailableError, StoppedError: to continue is impossible or would do harm; nothing uncommitted is
                lost.
        """
        try:
            while not self._is_finished():
                self._iterate()
        except BaseException as error:
            if self._careful and isinstance(error, StoppedError):
                self._careful.finish()  # this end is no event's doing
            if self._tracing:
                self._tracing.stopped(error)
            raise

    def _iterate(self) -> None:
        self._poll()
        if not self._gather_ms:
            self._submit_window()
        if not self._publishing and (scored := self._scoring.take(self._scorer_wait_s())):
            self._in_scorer = []
            self._window_limit.observe(scored.fresh_tokens, _stream_s(scored))
            self._pacing.scored(_stream_s(scored))
            if self._careful:
                self._careful.finish()
            if not self._is_careful and (self._pacing.overlaps or self._buffer.is_full):
                self._submit_window()
            self._decide(scored)
        if self._publishing:
            self._publish()
        self._observer.loop_iterated(scoring_since_s=self._scoring.busy_since_s, oldest=self._oldest_ms)

    def _is_finished(self) -> bool:
        if self._stop.is_set():
            self._drain()
        if self._scoring.has_window or self._publishing:
            return False
        return self._is_draining or (self._source.is_exhausted and not self._buffer)

    @property
    def _is_draining(self) -> bool:
        return self.drain_until_s is not None

    def _drain(self) -> None:
        """Accept nothing new; stop with an error when the windows in flight are not published in time."""
        if self.drain_until_s is None:
            self.drain_until_s = self._clock.monotonic_s() + self._settings.drain_timeout_s
            self._buffer.clear()
            if self._careful:
                self._careful.clear()
            self._observer.draining()
        elif self._clock.monotonic_s() > self.drain_until_s:
            raise DrainTimeoutError(
                f"the windows in flight were not published within `drain_timeout_s`, "
                f"{self._settings.drain_timeout_s:g} s: they are uncommitted and will be moderated again"
            )

    @property
    def _has_room(self) -> bool:
        return not self._is_draining and not self._buffer.is_full

    def _poll(self) -> None:
        """Poll when there is room, before each attempt to publish, and often enough to stay in the group."""
        has_room = self._has_room
        self._pause_source(is_paused=not has_room)
        is_due = self._clock.monotonic_s() - self._polled_at_s >= MAX_POLL_GAP_S
        if not (has_room or self._publishing or self._is_waiting_to_begin or is_due):
            return
        if self._careful:
            self._careful.before_poll()
        if self._interactive:
            self._interactive.give_way()
        polled = self._source.poll(self._poll_ms())
        self._polled_at_s = self._clock.monotonic_s()
        self._pacing.polled(sum(len(span.items) for span in polled))
        if not self._is_draining:
            for span in polled:
                self._observer.polled(len(span.items))
                self._buffer.add(read_span(span, self._polled_at_s, self._settings, self._interactive))

    def _poll_ms(self) -> int:
        """How long to wait for records: not at all while the scorer works, since its result is waited for instead."""
        if self._scoring.has_window and not self._publishing:
            return 0
        if self._gather_ms:
            return self._gather_ms
        return BUSY_POLL_MS if self._publishing or self._buffer else IDLE_POLL_MS

    @property
    def _gather_ms(self) -> int:
        """How long the next window still collects what came during the last publication; 0: it need not wait."""
        if self._scoring.has_window or self._publishing or self._is_waiting_to_begin or self._buffer.is_full:
            return 0
        return ceil(self._pacing.gather_s(self._clock.monotonic_s()) * 1_000)

    @property
    def _is_careful(self) -> bool:
        return self._careful is not None and self._careful.is_on

    @property
    def _is_waiting_to_begin(self) -> bool:
        return self._careful is not None and bool(self._careful.waiting)

    def _pause_source(self, *, is_paused: bool) -> None:
        if is_paused != self._is_paused:
            self._is_paused = is_paused
            (self._source.pause if is_paused else self._source.resume)()

    def _submit_window(self) -> None:
        self._buffer.max_tokens = self._window_limit.tokens
        if self._scoring.has_window:
            return
        if self._careful and self._careful.is_on:
            # score, commit, next
            spans = [] if self._publishing else self._careful.take(self._buffer)
            interactive = self._careful.interactive
        else:
            spans, interactive = self._buffer.take(), self._interactive
        if spans:
            window = Window(spans, self._current_decider())
            self._in_scorer = spans
            if self._tracing:
                self._tracing.window_began((entry.record, entry.polled_at_s) for entry in window.entries)
            self._scoring.submit(
                lambda: score_window(window, self._scorer, self._score_cache, self._clock, interactive)
            )

    def _scorer_wait_s(self) -> float:
        """How long to wait for the scorer: a result ends the wait at once, a record does not."""
        if not self._scoring.has_window:
            return 0.0
        return BUSY_POLL_MS / 1_000 if self._has_room else MAX_POLL_GAP_S / 2

    def _decide(self, scored: ScoredWindow) -> None:
        """Decide on a scored window; from here on it only has to be published."""
        now_s = self._clock.monotonic_s()
        at = Timestamps(scored.started_at_s, scored.ended_at_s, now_s, iso_time(self._clock.now_s()))
        self._publishing = decide_window(scored, at, self._sink.reject_oversized, self._interactive)
        if self._tracing:
            self._publishing = self._tracing.window_decided(self._publishing)
        self._scoring_s = _stream_s(scored)
        self._publishing_since_s = self._clock.monotonic_s()
        if self._dead_letter_limit:
            outcomes = (outcome for span in self._publishing for _, outcome in span.items)
            self._dead_letter_limit.observe(isinstance(outcome, DeadLetter) for outcome in outcomes)

    def _publish(self) -> None:
        """Make one attempt; what was not published is tried again after the next poll."""
        published = self._sink.publish(self._publishing)
        self._publishing = published.retry
        if published.committed:
            self._finish(published.committed)
        if self._tracing and not self._publishing:
            self._tracing.window_ended()

    def _finish(self, committed: list[DecidedSpan]) -> None:
        """Do what follows a commit: write the verdict cache, count, log, trace."""
        items = [item for span in committed for item in span.items]
        if items:
            self._verdict_cache.put_many(
                [rejection_of(record, made) if isinstance(made, DeadLetter) else made for record, made in items]
            )
        if self._tracing:
            self._tracing.committed(committed)
        now_s = self._clock.monotonic_s()
        self._pacing.published(now_s - self._publishing_since_s, now_s)
        self._observer.published(committed, self._scoring_s, now_s - self._publishing_since_s)

    def _oldest_ms(self) -> dict[Partition, int]:
        """Give the timestamp of the first event of each partition that is not committed; windows leave in order."""
        firsts = [(span.partition, span.items[0][0]) for span in self._publishing if span.items]
        waiting = self._careful.waiting if self._careful else []
        for span in (*self._in_scorer, *waiting, *self._buffer.spans):
            firsts += [(span.partition, entry.record) for entry in span.items[:1]]
        return {partition: record.timestamp_ms for partition, record in reversed(firsts) if record.timestamp_ms}


def _stream_s(scored: ScoredWindow) -> float:
    """Give how long a window was scored, without what interactive texts took meanwhile."""
    return scored.ended_at_s - scored.started_at_s - scored.interactive_s
