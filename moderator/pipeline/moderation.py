"""Score one window: render, look up, score what is missing, keep it. Runs on the scoring thread."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from moderator.events import ChatEvent, Prompt, Scores, Unscored
from moderator.pipeline.ports import Clock, ScoreCache, Scorer
from moderator.pipeline.window import Window


class ScoredEvent(NamedTuple):
    """What the model said of one event, now or earlier."""

    scores: Scores | Unscored
    cached: bool


@dataclass(frozen=True, slots=True)
class ScoredWindow:
    """A window with one score per event, in the order of `window.entries` without its dead letters.

    Attributes:
        started_at_s, ended_at_s: monotonic seconds around rendering, look-up and scoring.
    """

    window: Window
    scored: list[ScoredEvent]
    started_at_s: float
    ended_at_s: float


def score_window(window: Window, scorer: Scorer, cache: ScoreCache, clock: Clock) -> ScoredWindow:
    """Score every event of a window; equal content is scored once, cached content not at all.

    Raises:
        ScorerUnavailableError: the device failed; nothing was scored.
    """
    started_at_s = clock.monotonic_s()
    events = [entry.event for entry in window.entries if isinstance(entry.event, ChatEvent)]
    scored = score_events(events, scorer, cache)
    return ScoredWindow(window, scored, started_at_s, clock.monotonic_s())


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
    if isinstance(scores, Scores) and scores.truncated != prompt.truncated:
        # a conversation that was cut and one that never was longer can read alike, and then share a key
        scores = scores._replace(truncated=prompt.truncated)
    return ScoredEvent(scores, cached=found is not None)
