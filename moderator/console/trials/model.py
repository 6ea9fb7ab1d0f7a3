"""Typed text, scored by a model in this process; what is typed is neither kept nor logged."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from moderator.cache import InMemoryScoreCache
from moderator.console.trials.text import NotScoredError, ScorerAwayError
from moderator.errors import ScorerUnavailableError
from moderator.events import DeadLetter, Decision, Record, iso_time
from moderator.observability.metrics import Metrics
from moderator.pipeline.decision import Decider, Timestamps
from moderator.pipeline.moderation import score_events
from moderator.pipeline.ports import Scorer
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.policy import PolicySet
from moderator.settings import Settings
from moderator.stream.codec import decode
from moderator.wiring.parts import load_scorer

_TOO_LARGE = 413
_CANNOT_BE_JUDGED = 422


class ModelScorer:
    """`TextScorer` with a model of its own.

    Args:
        policies: gives those that a decision is made by.

    Raises:
        ConfigurationError: the model cannot be used.
    """

    def __init__(self, settings: Settings, policies: Callable[[], PolicySet]) -> None:
        self._settings = settings
        self._policies = policies
        self._thread = ScoringThread()
        self._cache = InMemoryScoreCache(Metrics(CollectorRegistry()))
        try:
            self._scorer: Scorer = self._thread.call(lambda: _warm(settings))
        except BaseException:
            self._thread.close()
            raise

    def score(self, event: Mapping[str, Any]) -> Decision:
        """Score a chat event; see `TextScorer`."""
        record = Record("typed", 0, 0, None, None, orjson.dumps(event))
        read = decode(record, self._settings.max_event_bytes, self._settings.reading)
        if isinstance(read, DeadLetter):
            raise _refused(read)
        began_s = time.monotonic()
        try:
            scored = self._thread.call(lambda: score_events([read], self._scorer, self._cache)[0])
        except ScorerUnavailableError as error:
            raise ScorerAwayError(f"the model does not score: {error}") from error
        if isinstance(scored, DeadLetter):
            raise _refused(scored)
        ended_s = time.monotonic()
        at = Timestamps(began_s, ended_s, ended_s, iso_time(time.time()))
        return Decider(self._policies(), self._scorer.identity).decide(record, read, scored, began_s, at)


def _warm(settings: Settings) -> Scorer:
    scorer = load_scorer(settings)
    scorer.warm_up()
    return scorer


def _refused(letter: DeadLetter) -> NotScoredError:
    status = _TOO_LARGE if letter.reason == "too_large" else _CANNOT_BE_JUDGED
    return NotScoredError(status, letter.reason, letter.error)
