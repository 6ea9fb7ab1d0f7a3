"""How long publishing may go on failing."""

import time
from collections.abc import Callable

from kafka.errors import KafkaConnectionError

from moderator.errors import StoppedError
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.stream.kafka.consuming.membership import Membership

log = get_logger(__name__)

_REST_S = 1.0


class FailureBudget:
    """How long publishing may fail while Kafka answers; while it does not, for ever."""

    def __init__(
        self,
        membership: Membership,
        metrics: Metrics,
        limit_s: float = 60.0,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._membership = membership
        self._failures = metrics.publish_failures
        self._limit_s = limit_s
        self._monotonic_s = monotonic_s
        self._failing_since_s: float | None = None
        self._rests_until_s = -float("inf")

    @property
    def is_resting(self) -> bool:
        """No broker took a connection a moment ago: trying again at once would only fill the log."""
        return self._monotonic_s() < self._rests_until_s

    def reward(self) -> None:
        """Something was published."""
        self._failing_since_s = None

    def strain(self, error: Exception) -> None:
        """Nothing was.

        Raises:
            StoppedError: nothing has been for the whole limit, although Kafka answers.
        """
        self._failures.labels(type(error).__name__).inc()
        now_s = self._monotonic_s()
        is_away = not self._membership.answers
        if is_away or self._failing_since_s is None:
            self._failing_since_s = now_s
        if is_away or isinstance(error, KafkaConnectionError):
            self._rests_until_s = now_s + _REST_S
        log.warning("publish_failed", error=type(error).__name__, cause=str(error), broker_is_away=is_away)
        if now_s - self._failing_since_s > self._limit_s:
            raise StoppedError(
                f"publishing has failed for {self._limit_s:.0f} s although Kafka answers, at last with `{error}`: "
                "nothing was committed; see to the brokers and start again"
            )
