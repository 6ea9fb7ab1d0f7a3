"""What the loop reports about itself: metrics, health, and one log line for each window."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Protocol

from moderator.events import DeadLetter, DecidedSpan, EncodedDecision, Partition
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

    def published(self, committed: Sequence[DecidedSpan], score_s: float, publish_s: float) -> None:
        """Note that a window, or the part of it that was still ours, is committed; it may hold no event."""
        ...

    def loop_iterated(self, *, scoring_since_s: float | None, oldest: Callable[[], Mapping[Partition, int]]) -> None:
        """Note that one round of the loop ended.

        Args:
            scoring_since_s: since when the present window has been in the scorer, monotonic; None: there is none.
            oldest: gives the timestamp, in ms, of the oldest event of each partition that is not committed.
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
        self._shown: AbstractSet[Partition] = frozenset()
        self._oldest_ms: Mapping[Partition, int] = {}

    def polled(self, records: int) -> None:
        """Count the records."""
        self._metrics.events.inc(records)

    def published(self, committed: Sequence[DecidedSpan], score_s: float, publish_s: float) -> None:
        """Count what is now visible, and log one line."""
        now_s = self._clock.now_s()
        self._metrics.last_commit.set(now_s)
        outcomes = outcomes_of(committed)
        if not outcomes:  # only a position moved, past what is no event
            return
        self._metrics.windows.inc()
        self._metrics.window_events.observe(len(outcomes))
        self._metrics.score_seconds.observe(score_s)
        self._metrics.publish_seconds.observe(publish_s)
        self._metrics.count_outcomes(outcomes)
        self._metrics.end_to_end_seconds.observe_many(_ages_s(committed, now_s))
        score_ms, publish_ms = milliseconds(score_s), milliseconds(publish_s)
        log.info("window_published", **tally(outcomes), score_ms=score_ms, publish_ms=publish_ms)

    def loop_iterated(self, *, scoring_since_s: float | None, oldest: Callable[[], Mapping[Partition, int]]) -> None:
        """Refresh health and gauges, a few times a second."""
        if self._clock.monotonic_s() - self._refreshed_at_s >= REFRESH_EVERY_S:
            self._refresh(scoring_since_s)
            self._oldest_ms = oldest()

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
        self._show_partitions(self._status.assignment)
        self._metrics.lag_events.clear()
        for partition, lag in self._status.lags.items():
            self._metrics.lag_events.labels(str(partition.number)).set(lag)

    def _show_partitions(self, assignment: AbstractSet[Partition]) -> None:
        self._metrics.assigned_partitions.set(len(assignment))
        if assignment == self._shown:
            return
        self._metrics.lag_seconds.clear()
        for partition in assignment:
            age_s = self._metrics.lag_seconds.labels(str(partition.number))
            age_s.set_function(partial(self._age_of_oldest_s, partition))  # grows also while the loop stands still
        self._shown = frozenset(assignment)

    def _age_of_oldest_s(self, partition: Partition) -> float:
        oldest_ms = self._oldest_ms.get(partition)
        return 0.0 if oldest_ms is None else max(0.0, self._clock.now_s() - oldest_ms / 1_000)

    def _log_changes(self, now_s: float) -> None:
        """Log `not_ready` for each code that holds from now on, and `ready` for each that holds no more."""
        reasons = {problem.code: problem.reason for problem in readiness_problems(self._board, now_s)}
        for code in sorted(reasons.keys() - self._codes):
            log.info("not_ready", code=code, reason=reasons[code])
        for code in sorted(self._codes - reasons.keys()):
            log.info("ready", code=code)
        self._codes = set(reasons)


def outcomes_of(committed: Iterable[DecidedSpan]) -> list[EncodedDecision | DeadLetter]:
    """Give what became of each event, in order."""
    return [made for span in committed for _, made in span.items]


def _ages_s(committed: Iterable[DecidedSpan], now_s: float) -> list[float]:
    """Give how old each event is by its timestamp; a producer's clock may be ahead of ours."""
    times_ms = [record.timestamp_ms for span in committed for record, _ in span.items]
    return [max(0.0, now_s - at_ms / 1_000) for at_ms in times_ms if at_ms is not None]


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

    def published(self, committed: Sequence[DecidedSpan], score_s: float, publish_s: float) -> None:  # noqa: ARG002 - a port's signature
        """Add up what was written."""
        self.counts.update(tally(outcomes_of(committed)))

    def loop_iterated(self, *, scoring_since_s: float | None, oldest: Callable[[], Mapping[Partition, int]]) -> None:
        """Do nothing: no probe asks."""

    def draining(self) -> None:
        """Do nothing: no probe asks."""
