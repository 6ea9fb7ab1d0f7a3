"""What the loop tells the outside of how it is doing: metrics, health, and one log line per window."""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from moderator.events import DeadLetter, EncodedDecision, Partition
from moderator.observability.health import HealthBoard, HealthSnapshot
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.pipeline.decision import milliseconds
from moderator.pipeline.ports import Clock

log = get_logger(__name__)

LOOK_EVERY_S = 0.25


class Report(Protocol):
    """Hears from the loop; must never slow or stop it."""

    def polled(self, records: int) -> None:
        """Hear that so many records were polled."""
        ...

    def published(self, outcomes: Sequence[EncodedDecision | DeadLetter], score_s: float, publish_s: float) -> None:
        """Hear that a window, or the part of it that was still ours, is committed."""
        ...

    def turned(self, *, is_stuck: bool) -> None:
        """Hear that the loop went round; `is_stuck` while a window is in flight."""
        ...

    def draining(self) -> None:
        """Hear that nothing new will be taken."""
        ...


class StreamStatus(Protocol):
    """What a Kafka source knows of its standing."""

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
        """The group is settled and we are in it."""
        ...

    @property
    def last_answer_s(self) -> float:
        """When a broker answered last, monotonic seconds."""
        ...


class StreamReport:
    """The report of `moderator run`. Created when the model is warm."""

    def __init__(self, status: StreamStatus, metrics: Metrics, board: HealthBoard, clock: Clock) -> None:
        self._status = status
        self._metrics = metrics
        self._board = board
        self._clock = clock
        self._progressed_at_s = clock.monotonic_s()
        self._looked_at_s = 0.0
        self._is_draining = False

    def polled(self, records: int) -> None:
        """Count them."""
        self._metrics.events.inc(records)

    def published(self, outcomes: Sequence[EncodedDecision | DeadLetter], score_s: float, publish_s: float) -> None:
        """Count what became visible, and log one line."""
        self._progressed_at_s = self._clock.monotonic_s()
        self._metrics.windows.inc()
        self._metrics.window_events.observe(len(outcomes))
        self._metrics.score_seconds.observe(score_s)
        self._metrics.publish_seconds.observe(publish_s)
        self._metrics.count_outcomes(outcomes)
        score_ms, publish_ms = milliseconds(score_s), milliseconds(publish_s)
        log.info("window_published", **tally(outcomes), score_ms=score_ms, publish_ms=publish_ms)

    def turned(self, *, is_stuck: bool) -> None:
        """Refresh what probes and scrapes see, a few times a second."""
        now_s = self._clock.monotonic_s()
        if not is_stuck:
            self._progressed_at_s = now_s
        if now_s - self._looked_at_s >= LOOK_EVERY_S:
            self._looked_at_s = now_s
            self._look()

    def draining(self) -> None:
        """Fail readiness and say so."""
        self._is_draining = True
        self._look()
        log.info("draining")

    def _look(self) -> None:
        self._board.snapshot = HealthSnapshot(
            progressed_at_s=self._progressed_at_s,
            broker_seen_at_s=self._status.last_answer_s,
            has_begun=True,
            has_joined=self._board.snapshot.has_joined or self._status.is_joined,
            is_draining=self._is_draining,
        )
        self._metrics.assigned_partitions.set(len(self._status.assignment))
        self._metrics.lag_events.clear()
        for partition, lag in self._status.lags.items():
            self._metrics.lag_events.labels(str(partition.number)).set(lag)


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


class CountingReport:
    """The report of a run over lines: sums, nothing else."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def polled(self, records: int) -> None:
        """Count what came in."""
        self.counts["lines"] += records

    def published(self, outcomes: Sequence[EncodedDecision | DeadLetter], score_s: float, publish_s: float) -> None:  # noqa: ARG002 - a port's signature
        """Add up what went out."""
        self.counts.update(tally(outcomes))

    def turned(self, *, is_stuck: bool) -> None:
        """Nobody watches."""

    def draining(self) -> None:
        """Nobody watches."""
