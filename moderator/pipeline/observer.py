"""What the loop reports about itself: metrics, health, and one log line for each window."""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from moderator.events import DeadLetter, EncodedDecision, Partition
from moderator.observability.health import Code, HealthBoard, HealthSnapshot, readiness_problems
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.pipeline.decision import milliseconds
from moderator.pipeline.ports import Clock

log = get_logger(__name__)

REFRESH_EVERY_S = 0.25


class StreamObserver(Protocol):
    """Is called by the loop; must never slow or stop it."""

    def polled(self, records: int) -> None:
        """Note how many records a poll gave."""
        ...

    def published(self, outcomes: Sequence[EncodedDecision | DeadLetter], score_s: float, publish_s: float) -> None:
        """Note that a window, or the part of it that was still ours, is committed."""
        ...

    def loop_iterated(self, *, scoring_since_s: float | None) -> None:
        """Note that one round of the loop ended.

        Args:
            scoring_since_s: since when the present window has been in the scorer, monotonic; None: there is none.
        """
        ...

    def draining(self) -> None:
        """Note that no new records will be taken."""
        ...


class StreamStatus(Protocol):
    """What a Kafka source knows about its group and its brokers."""

    @property
    def assignment(self) -> AbstractSet[Partition]:
        """The partitions owned."""
        ...

    @property
    def lags(self) -> Mapping[Partition, int]:
        """Events not yet committed, by partition."""
        ...

    @property
    def is_joined(self) -> bool:
        """The group is stable and we are a member of it."""
        ...

    @property
    def last_answer_s(self) -> float:
        """When a broker last answered, monotonic seconds."""
        ...

    @property
    def troubles(self) -> Mapping[Code, str]:
        """What keeps this replica from moderating that only Kafka's client knows: code and reason."""
        ...


class MonitoringObserver:
    """Keeps health and metrics of `moderator run` up to date, and logs. Created when the model is warm."""

    def __init__(self, status: StreamStatus, metrics: Metrics, board: HealthBoard, clock: Clock) -> None:
        self._status = status
        self._metrics = metrics
        self._board = board
        self._clock = clock
        self._refreshed_at_s = 0.0
        self._is_draining = False
        self._codes: set[Code] = set()

    def polled(self, records: int) -> None:
        """Count the records."""
        self._metrics.events.inc(records)

    def published(self, outcomes: Sequence[EncodedDecision | DeadLetter], score_s: float, publish_s: float) -> None:
        """Count what is now visible, and log one line."""
        self._metrics.windows.inc()
        self._metrics.window_events.observe(len(outcomes))
        self._metrics.score_seconds.observe(score_s)
        self._metrics.publish_seconds.observe(publish_s)
        self._metrics.count_outcomes(outcomes)
        score_ms, publish_ms = milliseconds(score_s), milliseconds(publish_s)
        log.info("window_published", **tally(outcomes), score_ms=score_ms, publish_ms=publish_ms)

    def loop_iterated(self, *, scoring_since_s: float | None) -> None:
        """Refresh health and gauges, a few times a second."""
        if self._clock.monotonic_s() - self._refreshed_at_s >= REFRESH_EVERY_S:
            self._refresh(scoring_since_s)

    def draining(self) -> None:
        """Fail readiness and log it."""
        self._is_draining = True
        self._refresh(self._board.snapshot.scoring_since_s)
        log.info("draining")

    def _refresh(self, scoring_since_s: float | None) -> None:
        self._refreshed_at_s = now_s = self._clock.monotonic_s()
        self._board.snapshot = HealthSnapshot(
            turned_at_s=now_s,
            broker_seen_at_s=self._status.last_answer_s,
            phase="running",
            joined_at_s=now_s if self._status.is_joined else self._board.snapshot.joined_at_s,
            scoring_since_s=scoring_since_s,
            is_draining=self._is_draining,
            troubles=self._status.troubles,
        )
        self._log_changes(now_s)
        self._metrics.assigned_partitions.set(len(self._status.assignment))
        self._metrics.lag_events.clear()
        for partition, lag in self._status.lags.items():
            self._metrics.lag_events.labels(str(partition.number)).set(lag)

    def _log_changes(self, now_s: float) -> None:
        """Log `not_ready` for each code that holds from now on, and `ready` for each that holds no more."""
        reasons = {problem.code: problem.reason for problem in readiness_problems(self._board, now_s)}
        for code in sorted(reasons.keys() - self._codes):
            log.info("not_ready", code=code, reason=reasons[code])
        for code in sorted(self._codes - reasons.keys()):
            log.info("ready", code=code)
        self._codes = set(reasons)


def tally(outcomes: Sequence[EncodedDecision | DeadLetter]) -> dict[str, int]:
    """Count events, flags, allows, dead letters, unscored and cached ones."""
    decisions = [outcome for outcome in outcomes if not isinstance(outcome, DeadLetter)]
    verdicts = Counter(decision.verdict for decision in decisions)
    return {
        "events": len(outcomes),
        "flagged": verdicts["flag"],
        "allowed": verdicts["allow"],
        "dead_letters": len(outcomes) - len(decisions),
        "unscored": sum(decision.status == "unscored" for decision in decisions),
        "cached": sum(decision.cached for decision in decisions),
    }


class CountingObserver:
    """Adds up what a run over lines did."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def polled(self, records: int) -> None:
        """Count the lines read."""
        self.counts["lines"] += records

    def published(self, outcomes: Sequence[EncodedDecision | DeadLetter], score_s: float, publish_s: float) -> None:  # noqa: ARG002 - a port's signature
        """Add up what was written."""
        self.counts.update(tally(outcomes))

    def loop_iterated(self, *, scoring_since_s: float | None) -> None:
        """Do nothing: no probe asks."""

    def draining(self) -> None:
        """Do nothing: no probe asks."""
