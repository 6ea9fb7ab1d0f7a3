"""Score one window: render, look up, score what is missing, keep it. Runs on the scoring thread."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from moderator.errors import ModeratorError
from moderator.events import ChatEvent, DeadLetter, Prompt, Scores, Unscored
from moderator.observability.logging import get_logger
from moderator.pipeline.ports import Clock, ScoreCache, Scorer
from moderator.pipeline.window import Window, guessed_tokens

log = get_logger(__name__)


class ScoredEvent(NamedTuple):
    """What the model said of one event, now or earlier.

    Attributes:
        cached: it was said earlier.
        truncated: the model did not see the whole conversation.
    """

    scores: Scores | Unscored
    cached: bool
    truncated: bool


@dataclass(frozen=True, slots=True)
class ScoredWindow:
    """A window with one result per event, in the order of `window.entries` without its dead letters.

    Attributes:
        scored: a dead letter for an event that no scoring survives.
        fresh_tokens: guessed, of what was scored and not looked up.
        started_at_s, ended_at_s: monotonic seconds around rendering, look-up and scoring.
    """

    window: Window
    scored: list[ScoredEvent | DeadLetter]
    fresh_tokens: int
    started_at_s: float
    ended_at_s: float


def score_window(window: Window, scorer: Scorer, cache: ScoreCache, clock: Clock) -> ScoredWindow:
    """Score every event of a window; equal content is scored once, cached content not at all.

    Raises:
        ScorerUnavailableError: the device failed; nothing was scored.
    """
    started_at_s = clock.monotonic_s()
    events = [entry.event for entry in window.entries if isinstance(entry.event, ChatEvent)]
    scored = _score_apart(events, scorer, cache)
    fresh = {
        event.conversation
        for event, result in zip(events, scored, strict=True)
        if isinstance(result, ScoredEvent) and not result.cached
    }
    fresh_tokens = sum(guessed_tokens(conversation, scorer.identity.max_input_tokens) for conversation in fresh)
    return ScoredWindow(window, scored, fresh_tokens, started_at_s, clock.monotonic_s())


def _score_apart(events: Sequence[ChatEvent], scorer: Scorer, cache: ScoreCache) -> list[ScoredEvent | DeadLetter]:
    """Score together; where a fault of ours prevents that, one by one: it stops one event and not the stream."""
    try:
        return [*score_events(events, scorer, cache)]
    except ModeratorError:
        raise
    except Exception as error:  # noqa: BLE001 - a poisonous event would otherwise stop every replica, again and again
        if len(events) == 1:
            return [crashed("scoring it", events[0].id, error)]
        return [result for event in events for result in _score_apart([event], scorer, cache)]


def crashed(doing: str, event_id: str, error: Exception) -> DeadLetter:
    """Set aside an event that meets a fault of ours; what the fault says may quote it and is not repeated."""
    log.error("event_crashed", doing=doing, event_id=event_id, error=type(error).__name__)
    return DeadLetter(
        "crashed_scorer", f"{doing} raised `{type(error).__name__}`, a fault in moderator: please report it"
    )


def score_events(events: Sequence[ChatEvent], scorer: Scorer, cache: ScoreCache) -> list[ScoredEvent]:
    """Score events in the order given; see `score_window`."""
    if not events:
        return []
    prompts = scorer.render([event.conversation for event in events])
    unique = {prompt.score_key: prompt for prompt in prompts}
    looked_up = dict(zip(unique, cache.get_many(list(unique)), strict=True))
    missing = [prompt for key, prompt in unique.items() if looked_up[key] is None]
    fresh = dict(zip((prompt.score_key for prompt in missing), scorer.score(missing), strict=True)) if missing else {}
    cache.put_many({key: scores for key, scores in fresh.items() if isinstance(scores, Scores)})
    return [_scored_event(prompt, looked_up, fresh) for prompt in prompts]


def _scored_event(
    prompt: Prompt, looked_up: dict[str, Scores | None], fresh: dict[str, Scores | Unscored]
) -> ScoredEvent:
    found = looked_up[prompt.score_key]
    scores = fresh[prompt.score_key] if found is None else found
    # the prompt's word counts: one that was cut and one that never was longer can read alike, and then share a key
    return ScoredEvent(scores, cached=found is not None, truncated=prompt.truncated)
