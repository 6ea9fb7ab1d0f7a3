"""The steps of one window: read the events, score them, decide on them.

`read_span` and `decide_window` run on the stream's thread, `score_window` on the scoring thread. A fault of ours sets
one event aside as a dead letter; it never stops the stream.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from moderator.errors import ModeratorError
from moderator.events import (
    ChatEvent,
    DeadLetter,
    DecidedSpan,
    EncodedDecision,
    EventReading,
    PolledSpan,
    Record,
    Scores,
    Turn,
    Unscored,
)
from moderator.observability.logging import get_logger
from moderator.pipeline.decision import Decider, Timestamps, encode
from moderator.pipeline.ports import Clock, InteractiveWork, ScoreCache, Scorer
from moderator.pipeline.window import Entry, ScoredEvent, Span, estimated_tokens
from moderator.settings import Settings
from moderator.stream.codec import decode
from moderator.stream.slices import in_slices

log = get_logger(__name__)

NO_TEXT: Final = DeadLetter("no_text", "the judged message has no visible text")

READ_AT_ONCE: Final = 32
"""Events that are read before interactive texts are asked for again: some milliseconds."""

AT_A_TIME: Final = 16
"""Events that the stream's thread decodes or decides before it gives way again: about two milliseconds."""

RejectOversized = Callable[[Record, EncodedDecision], DeadLetter | None]
"""`Sink.reject_oversized`."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is scored together, decided by one policy snapshot, and published in one transaction."""

    spans: list[Span]
    decider: Decider

    @property
    def entries(self) -> list[Entry]:
        """All entries, span after span."""
        return [entry for span in self.spans for entry in span.items]


@dataclass(frozen=True, slots=True)
class ScoredWindow:
    """A window whose entries hold their scores.

    Attributes:
        fresh_tokens: estimated tokens of what was scored and not found in the cache.
        started_at_s, ended_at_s: monotonic seconds around rendering, look-up and scoring.
        interactive_s: how much of that went to interactive texts.
    """

    window: Window
    fresh_tokens: int
    started_at_s: float
    ended_at_s: float
    interactive_s: float = 0.0


def read_span(
    span: PolledSpan, polled_at_s: float, settings: Settings, interactive: InteractiveWork | None = None
) -> Span:
    """Decode every record; one that cannot be judged becomes a dead letter. Interactive texts go first."""
    records = in_slices(span.items, AT_A_TIME, _give_way(interactive))
    return span.with_items([Entry(record, _read(record, settings), polled_at_s) for record in records])


def _read(record: Record, settings: Settings) -> ChatEvent | DeadLetter:
    try:
        return decode(record, settings.max_event_bytes, settings.reading)
    except Exception as error:  # noqa: BLE001 - one record must not stop the stream
        return crashed("reading it", f"{record.topic}/{record.partition}/{record.offset}", error)


def score_window(
    window: Window, scorer: Scorer, cache: ScoreCache, clock: Clock, interactive: InteractiveWork | None = None
) -> ScoredWindow:
    """Score every event of a window; equal content is scored once, cached content not at all.

    Interactive texts share its passes, and are served between its other steps.

    Raises:
        ScorerUnavailableError: the device failed; nothing was scored.
    """
    started_at_s = clock.monotonic_s()
    spent_s = interactive.spent_s if interactive else 0.0
    to_score = [(entry, entry.event) for entry in window.entries if isinstance(entry.event, ChatEvent)]
    results = _score_or_isolate([event for _, event in to_score], scorer, cache, interactive)
    fresh = set()
    for (entry, event), scored in zip(to_score, results, strict=True):
        entry.scored = scored
        if isinstance(scored, ScoredEvent) and not scored.cached:
            fresh.add(event.conversation)
    fresh_tokens = sum(estimated_tokens(conversation, scorer.identity) for conversation in fresh)
    spent_s = interactive.spent_s - spent_s if interactive else 0.0
    return ScoredWindow(window, fresh_tokens, started_at_s, clock.monotonic_s(), spent_s)


def _score_or_isolate(
    events: Sequence[ChatEvent], scorer: Scorer, cache: ScoreCache, interactive: InteractiveWork | None
) -> list[ScoredEvent | DeadLetter]:
    """Score together; where a fault of ours prevents that, one by one, so that it affects one event only."""
    try:
        return [*score_events(events, scorer, cache, interactive)]
    except ModeratorError:
        raise
    except Exception as error:  # noqa: BLE001 - such an event would otherwise stop every replica, again and again
        if len(events) == 1:
            return [crashed("scoring it", events[0].id, error)]
        return [result for event in events for result in _score_or_isolate([event], scorer, cache, interactive)]


def score_events(
    events: Sequence[ChatEvent], scorer: Scorer, cache: ScoreCache, interactive: InteractiveWork | None = None
) -> list[ScoredEvent | DeadLetter]:
    """Score events in the order given; see `score_window`."""
    if not events:
        return []
    readings = _read_all([event.conversation for event in events], scorer, interactive)
    unique = {passage.prompt.score_key: passage.prompt for reading in readings for passage in reading.passages}
    looked_up = dict(zip(unique, cache.get_many(list(unique)), strict=True))
    missing = [prompt for key, prompt in unique.items() if looked_up[key] is None]
    given = scorer.score(missing, interactive) if missing else []
    fresh = dict(zip((prompt.score_key for prompt in missing), given, strict=True))
    cache.put_many({key: scores for key, scores in fresh.items() if isinstance(scores, Scores)})
    scored: dict[str, Scores | Unscored] = {
        key: fresh[key] if found is None else found for key, found in looked_up.items()
    }
    return [scored_event(reading, scored, fresh) if reading.passages else NO_TEXT for reading in readings]


def _read_all(
    conversations: Sequence[Sequence[Turn]], scorer: Scorer, interactive: InteractiveWork | None
) -> list[EventReading]:
    """Read all; a whole window takes so long that interactive texts are served meanwhile."""
    if interactive is None:
        return scorer.read(conversations)
    readings: list[EventReading] = []
    for start in range(0, len(conversations), READ_AT_ONCE):
        interactive.serve()
        readings += scorer.read(conversations[start : start + READ_AT_ONCE])
    return readings


def scored_event(reading: EventReading, scored: Mapping[str, Scores | Unscored], fresh: Collection[str]) -> ScoredEvent:
    """Join what was given for each passage; an event with a passage that could not be scored is unscored."""
    keys = [passage.prompt.score_key for passage in reading.passages]
    results = [scored[key] for key in keys]
    unscored = next((result for result in results if isinstance(result, Unscored)), None)
    scores = tuple(result for result in results if isinstance(result, Scores))
    return ScoredEvent(unscored or scores, reading, cached=not any(key in fresh for key in keys))


def decide_window(
    scored: ScoredWindow, at: Timestamps, reject_oversized: RejectOversized, interactive: InteractiveWork | None = None
) -> list[DecidedSpan]:
    """Decide on every entry of a scored window; the spans are then ready to publish. Interactive texts go first."""
    decider = scored.window.decider
    return [
        span.with_items(
            [
                (entry.record, _decide(entry, decider, at, reject_oversized))
                for entry in in_slices(span.items, AT_A_TIME, _give_way(interactive))
            ]
        )
        for span in scored.window.spans
    ]


def _give_way(interactive: InteractiveWork | None) -> Callable[[], object]:
    return interactive.give_way if interactive else lambda: None


def _decide(
    entry: Entry, decider: Decider, at: Timestamps, reject_oversized: RejectOversized
) -> EncodedDecision | DeadLetter:
    event, scored = entry.event, entry.scored
    if isinstance(event, DeadLetter):
        return event
    if isinstance(scored, DeadLetter):
        return scored
    assert scored is not None, "the window was scored"
    try:
        decision = encode(decider.decide(entry.record, event, scored, entry.polled_at_s, at), decider.facts)
    except Exception as error:  # noqa: BLE001 - one event must not stop the stream
        return crashed("deciding on it", event.id, error)
    return reject_oversized(entry.record, decision) or decision


def crashed(doing: str, event_id: str, error: Exception) -> DeadLetter:
    """Set aside an event that triggers a fault of ours; the error's text may quote the event and is not repeated."""
    log.error("event_crashed", doing=doing, event_id=event_id, error=type(error).__name__)
    return DeadLetter(
        "crashed_scorer", f"{doing} raised `{type(error).__name__}`, a fault in moderator: please report it"
    )
