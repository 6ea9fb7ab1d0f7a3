"""Notices partitions of ours of which nothing can be read: they have no leader, or the group's position is hidden."""

import time
from collections.abc import Callable, Iterator
from typing import Final

from kafka import TopicPartition

from moderator.counted import counted
from moderator.stream.kafka.consuming.client_state import is_led
from moderator.stream.kafka.consuming.membership import Membership

UNREAD_S: Final = 30.0
"""Longer than a broker's failover, and than it takes to end what another replica's crash left open."""
_CODE: Final = "not_reading"


class ReadingWatch:
    """Reports that a partition cannot be read though Kafka answers. Same thread as the source."""

    def __init__(self, membership: Membership, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._membership = membership
        self._monotonic_s = monotonic_s
        self._since_s: dict[TopicPartition, float] = {}

    def check(self) -> None:
        """Say of the first such partition what it waits for, once it has waited for `UNREAD_S`."""
        now_s = self._monotonic_s()
        reasons = dict(self._reasons()) if self._membership.broker_responding else {}
        self._since_s = {partition: self._since_s.get(partition, now_s) for partition in reasons}
        late = [partition for partition, since_s in self._since_s.items() if now_s - since_s >= UNREAD_S]
        if not late:
            self._membership.troubles.pop(_CODE, None)
            return
        first = min(late)
        others = f" and {counted(len(late) - 1, 'other partition')}" if len(late) > 1 else ""
        self._membership.troubles[_CODE] = (
            f"topic `{first.topic}` partition {first.partition}{others} cannot be read for "
            f"{now_s - self._since_s[first]:.0f} s: {reasons[first]}"
        )

    def _reasons(self) -> Iterator[tuple[TopicPartition, str]]:
        unplaced = self._membership.unplaced
        for partition in self._membership.consumer.assignment():
            if not is_led(self._membership.consumer, partition):
                yield partition, "it has no leader"
            elif partition in unplaced:
                yield partition, f"the group's position is not known: {self._membership.position_error}"
