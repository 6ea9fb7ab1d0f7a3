"""How long publishing may fail before the process stops."""

import time
from collections.abc import Callable
from typing import Final

from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    LeaderNotAvailableError,
    NotCoordinatorError,
    RequestTimedOutError,
    UnstableOffsetCommitError,
)

from moderator.errors import NotPublishingError
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.stream.kafka.producing.awaited import Awaited
from moderator.stream.kafka.producing.delivery import Group
from moderator.stream.kafka.producing.sender import NoSuchTopicError

log = get_logger(__name__)

_BACKOFF_S = 1.0
_MUST_WAIT: Final = (
    KafkaConnectionError,
    LeaderNotAvailableError,
    CoordinatorNotAvailableError,
    CoordinatorLoadInProgressError,
    NotCoordinatorError,
)
"""What the brokers answer while partitions move or are read again."""
REPORTED_AFTER_S = 30.0
"""Publishing that fails for so long makes this replica not ready."""
ASKED_EVERY_S = 10.0
"""How long it fails before the brokers are asked what it waits for, and then how often they are asked."""
_GREATEST_FACTOR = 4
"""All steps of one attempt then still take less than the minute after which a loop that does not turn is stuck."""

_CHECK = "check the brokers and start again"
_FIND_HANGING = (
    "a transaction whose end Kafka has lost hides the group's positions: find and abort it with `kafka-transactions.sh`"
)


class FailureBudget:
    """How long publishing may fail while Kafka answers; while it can only wait there is no limit.

    Args:
        group: says whether the brokers answer, and reports why this replica does not publish.
        metrics: where failures are counted.
        awaited: gives what publishing waits for, such as a leader; asking takes some seconds.

    Attributes:
        timeout_factor: how many times as long as usual the next producer's steps may take: doubled after each
            one that was dropped although the broker answers, so that a slow broker is not asked forever to begin again;
            1 again after a success.
    """

    def __init__(
        self,
        group: Group,
        metrics: Metrics,
        awaited: Awaited,
        *,
        limit_s: float = 60.0,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._awaited = awaited
        self._group = group
        self._failures = metrics.publish_failures
        self._limit_s = limit_s
        self._monotonic_s = monotonic_s
        self._failing_since_s: float | None = None
        self._ask_at_s = 0.0
        self._back_off_until_s = -float("inf")
        self.timeout_factor = 1

    @property
    def is_backing_off(self) -> bool:
        """Within the last second no broker took a connection, or a leader or coordinator was not there: it waits."""
        return self._monotonic_s() < self._back_off_until_s

    def succeeded(self) -> None:
        """Note that something was published."""
        self._failing_since_s = None
        self.timeout_factor = 1
        for code in ("not_publishing", "topic_gone"):
            self._group.troubles.pop(code, None)

    def failed(self, error: KafkaError, step: str) -> None:
        """Note that an attempt failed in this step.

        Raises:
            NotPublishingError: all attempts have failed for as long as the limit, although Kafka answers.
        """
        self._failures.labels(type(error).__name__).inc()
        now_s = self._monotonic_s()
        is_away = not self._group.broker_responding
        if is_away or self._failing_since_s is None:
            self._failing_since_s, self._ask_at_s = now_s, now_s + ASKED_EVERY_S
        if is_away or isinstance(error, _MUST_WAIT):
            self._back_off_until_s = now_s + _BACKOFF_S
        if isinstance(error, NoSuchTopicError) and not is_away:
            self._group.troubles["topic_gone"] = error.args[0]
        if not is_away and _was_too_slow(error):
            self.timeout_factor = min(2 * self.timeout_factor, _GREATEST_FACTOR)
        says_nothing = isinstance(error, KafkaTimeoutError) and not any(error.args)
        cause = "no answer in time" if says_nothing else str(error)
        log.warning("publish_failed", step=step, error=type(error).__name__, cause=cause, broker_is_away=is_away)
        if now_s >= self._ask_at_s and self._must_wait(now_s):
            return
        failing_s = now_s - self._failing_since_s
        if failing_s >= REPORTED_AFTER_S:
            self._group.troubles["not_publishing"] = f"publishing has failed for {failing_s:.0f} s"
        if failing_s > self._limit_s:
            raise NotPublishingError(
                f"publishing has failed for {self._limit_s:.0f} s although Kafka answers; the last error is `{cause}` "
                f"in step `{step}`: nothing was committed; {_remedy(error)}"
            )

    def _must_wait(self, now_s: float) -> bool:
        """Ask the brokers whether publishing can only wait; if so, the time until it stops begins again."""
        self._ask_at_s = now_s + ASKED_EVERY_S
        awaited = self._awaited()
        if awaited is None:
            return False
        self._failing_since_s = now_s
        self._group.troubles["not_publishing"] = awaited
        log.warning("publishing_waits", hint=awaited)
        return True


def _was_too_slow(error: KafkaError) -> bool:
    # later calls raise a bare KafkaError with the cause in its text only
    return isinstance(error, KafkaTimeoutError | RequestTimedOutError) or "RequestTimedOut" in str(error)


def _remedy(error: KafkaError) -> str:
    return _FIND_HANGING if isinstance(error, UnstableOffsetCommitError) else _CHECK
