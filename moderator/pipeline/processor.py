"""The loop: poll, score, decide, publish; drain and shut down. Runs on the stream's thread.

Two windows are in flight: while the scorer works on one, this thread publishes the one before it and gathers the
next. Back-pressure is pausing the source and polling it all the same, every 100 ms: the client takes part in its group
only while it is polled, and a member that does not poll is put out in the end.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator

from moderator.errors import StoppedError
from moderator.events import ChatEvent, DeadLetter, DecidedSpan, EncodedDecision, PolledBatch, Record, iso_time
from moderator.pipeline.dead_letter_limit import DeadLetterLimit
from moderator.pipeline.decision import Decider, Timestamps, encode
from moderator.pipeline.moderation import ScoredEvent, ScoredWindow, crashed
from moderator.pipeline.ports import Clock, ScoreCache, Scorer, Sink, Source, VerdictCache
from moderator.pipeline.report import Report
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.pipeline.window import Entry, Span, WindowBuffer
from moderator.pipeline.window_limit import AdaptiveWindowLimit
from moderator.settings import Settings
from moderator.stream.codec import decode

IDLE_POLL_MS = 100
BUSY_POLL_MS = 20
"""The least that lets the client join its group; a scored window waits no longer than this."""
MAX_POLL_GAP_S = 0.1


class Processor:
    """Moves events from a source to a sink, each decided exactly once.

    Args:
        current_decider: asked at the start of each window, which is decided by that one whatever comes meanwhile.
        stop: set it to drain: windows in flight are published, what was only gathered is left for the next owner.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        source: Source,
        sink: Sink,
        scorer: Scorer,
        score_cache: ScoreCache,
        verdict_cache: VerdictCache,
        current_decider: Callable[[], Decider],
        report: Report,
        clock: Clock,
        stop: threading.Event,
        dead_letter_limit: DeadLetterLimit | None,
    ) -> None:
        self._settings = settings
        self._source = source
        self._sink = sink
        self._verdict_cache = verdict_cache
        self._current_decider = current_decider
        self._report = report
        self._clock = clock
        self._stop = stop
        self._dead_letter_limit = dead_letter_limit
        self._gathering = WindowBuffer(settings.window, scorer.identity.max_input_tokens)
        self._pace = AdaptiveWindowLimit(settings.window.max_tokens)
        self._scoring = ScoringThread(scorer, score_cache, clock)
        self._deciders: deque[Decider] = deque()  # of the windows submitted and not yet decided, in their order
        self._publishing: list[DecidedSpan] = []
        self._publishing_since_s = 0.0
        self._scoring_s = 0.0
        self._is_paused = False
        self._polled_at_s = clock.monotonic_s()
        self._drain_until_s: float | None = None

    def run(self) -> None:
        """Go on until the source is exhausted or `stop` is set and the windows in flight are published.

        Raises:
            ScorerUnavailableError, StoppedError: going on is impossible or would do harm; nothing uncommitted is lost.
        """
        try:
            while not self._is_finished():
                self._turn()
        finally:
            self._scoring.close()

    def _turn(self) -> None:
        self._poll()
        self._feed_scorer()
        if not self._publishing and (scored := self._scoring.take(self._patience_s())):
            self._pace.observe(scored.fresh_tokens, scored.ended_at_s - scored.started_at_s)
            self._feed_scorer()
            self._decide(scored)
        if self._publishing:
            self._publish()
        self._report.turned(is_stuck=bool(self._scoring.in_flight or self._publishing))

    def _is_finished(self) -> bool:
        if self._stop.is_set():
            self._drain()
        if self._scoring.in_flight or self._publishing:
            return False
        return self._is_draining or (self._source.is_exhausted and not self._gathering)

    @property
    def _is_draining(self) -> bool:
        return self._drain_until_s is not None

    def _drain(self) -> None:
        """Take nothing new; stop for good when the windows in flight do not get through in time."""
        if self._drain_until_s is None:
            self._drain_until_s = self._clock.monotonic_s() + self._settings.drain_timeout_s
            self._gathering.clear()
            self._report.draining()
        elif self._clock.monotonic_s() > self._drain_until_s:
            raise StoppedError(
                f"the windows in flight were not published within `drain_timeout_s`, "
                f"{self._settings.drain_timeout_s:g} s: they are uncommitted and will be moderated again"
            )

    @property
    def _takes_more(self) -> bool:
        return not self._is_draining and not self._gathering.is_full

    def _poll(self) -> None:
        """Poll where there is room, or where silence would cost the membership or leave a publication untried."""
        takes_more = self._takes_more
        self._pause_source(is_paused=not takes_more)
        is_due = self._clock.monotonic_s() - self._polled_at_s >= MAX_POLL_GAP_S
        if not (takes_more or self._publishing or is_due):
            return
        is_busy = self._scoring.in_flight or self._publishing or self._gathering
        batches = self._source.poll(BUSY_POLL_MS if is_busy else IDLE_POLL_MS)
        self._polled_at_s = self._clock.monotonic_s()
        if not self._is_draining:
            for batch in batches:
                self._gathering.add(self._read(batch))

    def _pause_source(self, *, is_paused: bool) -> None:
        if is_paused != self._is_paused:
            self._is_paused = is_paused
            (self._source.pause if is_paused else self._source.resume)()

    def _read(self, batch: PolledBatch) -> Span:
        entries = [Entry(record, self._decode(record), self._polled_at_s) for record in batch.records]
        self._report.polled(len(entries))
        return Span(batch.partition, batch.epoch, batch.next_offset, entries)

    def _decode(self, record: Record) -> ChatEvent | DeadLetter:
        try:
            return decode(record, self._settings.max_event_bytes)
        except Exception as error:  # noqa: BLE001 - one record must not stop the stream
            return crashed("reading it", f"{record.topic}/{record.partition}/{record.offset}", error)

    def _feed_scorer(self) -> None:
        self._gathering.max_tokens = self._pace.tokens
        if self._scoring.has_room and (window := self._gathering.take()):
            self._scoring.submit(window)
            self._deciders.append(self._current_decider())

    def _patience_s(self) -> float:
        """How long to wait for the scorer: no time where the next poll waits anyway."""
        return 0.0 if self._takes_more or not self._scoring.in_flight else MAX_POLL_GAP_S / 2

    def _decide(self, scored: ScoredWindow) -> None:
        """Judge a scored window; from here on it is only published."""
        decider = self._deciders.popleft()
        at = self._timestamps(scored)
        scores = iter(scored.scored)
        self._publishing = [self._decide_span(span, decider, scores, at) for span in scored.window.spans]
        self._scoring_s = scored.ended_at_s - scored.started_at_s
        self._publishing_since_s = self._clock.monotonic_s()
        if self._dead_letter_limit:
            outcomes = (outcome for span in self._publishing for _, outcome in span.outcomes)
            self._dead_letter_limit.observe(isinstance(outcome, DeadLetter) for outcome in outcomes)

    def _decide_span(
        self, span: Span, decider: Decider, scores: Iterator[ScoredEvent | DeadLetter], at: Timestamps
    ) -> DecidedSpan:
        outcomes = [(entry.record, self._outcome(entry, decider, scores, at)) for entry in span.entries]
        return DecidedSpan(span.partition, span.epoch, span.next_offset, outcomes)

    def _outcome(
        self, entry: Entry, decider: Decider, scores: Iterator[ScoredEvent | DeadLetter], at: Timestamps
    ) -> EncodedDecision | DeadLetter:
        record, event, polled_at_s = entry
        if isinstance(event, DeadLetter):
            return event
        scored = next(scores)
        if isinstance(scored, DeadLetter):
            return scored
        try:
            decision = encode(decider.decide(record, event, scored, polled_at_s, at))
        except Exception as error:  # noqa: BLE001 - one event must not stop the stream
            return crashed("deciding on it", event.id, error)
        return self._sink.refuse(record, decision) or decision

    def _timestamps(self, scored: ScoredWindow) -> Timestamps:
        return Timestamps(
            scored.started_at_s, scored.ended_at_s, self._clock.monotonic_s(), iso_time(self._clock.now_s())
        )

    def _publish(self) -> None:
        """Make one attempt; what is left is tried again after the next poll."""
        published = self._sink.publish(self._publishing)
        self._publishing = published.left
        if published.committed:
            self._follow_commit(published.committed)

    def _follow_commit(self, committed: list[DecidedSpan]) -> None:
        outcomes = [outcome for span in committed for _, outcome in span.outcomes]
        self._verdict_cache.put_many([outcome for outcome in outcomes if not isinstance(outcome, DeadLetter)])
        self._report.published(outcomes, self._scoring_s, self._clock.monotonic_s() - self._publishing_since_s)
