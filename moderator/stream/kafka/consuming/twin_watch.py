"""Notices that we are no member any more although nobody says so: the client stops its heartbeats without an error."""

import time
from collections.abc import Callable

from kafka.errors import KafkaError, UnstableOffsetCommitError

from moderator.events import Partition
from moderator.stream.kafka.consuming.client_state import heartbeat_answered_s
from moderator.stream.kafka.consuming.membership import Membership

SILENCE_S = 12.0
"""Longer than the session timeout: a member whose heartbeats are only lost is removed by then, and gets an error."""
_BETWEEN_ANSWERS_S = 3.0
_ANSWER_S = 2.0


class TwinWatch:
    """Asks the group's coordinator when it answers no heartbeat. Same thread as the source.

    While the group is being arranged, or its coordinator is away, silence means nothing.
    """

    def __init__(self, membership: Membership, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._membership = membership
        self._monotonic_s = monotonic_s
        self._answered_at_s: float | None = None

    def is_put_out(self) -> bool:
        """Check whether the coordinator answers, twice with some seconds between, but none of our heartbeats."""
        now_s = self._monotonic_s()
        silent_s = now_s - heartbeat_answered_s(self._membership.consumer)
        if self._membership.settled() is None or silent_s < SILENCE_S:
            self._answered_at_s = None
            return False
        if self._answered_at_s is not None and now_s - self._answered_at_s < _BETWEEN_ANSWERS_S:
            return False
        if not self._coordinator_answers():
            self._answered_at_s = None
            return False
        if self._answered_at_s is not None:
            return True
        self._answered_at_s = now_s
        return False

    def _coordinator_answers(self) -> bool:
        try:
            self._membership.committed(Partition(self._membership.topic, 0), _ANSWER_S)
        except UnstableOffsetCommitError:  # an answer too
            return True
        except KafkaError:
            return False
        return True
