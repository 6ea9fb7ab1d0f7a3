"""Notices that the events topic was deleted, that it is back, and that another one has its name."""

from typing import Final

from moderator.observability.logging import get_logger
from moderator.stream.kafka.consuming.client_state import topic_id, update_metadata
from moderator.stream.kafka.consuming.membership import Membership

log = get_logger(__name__)

_CODE: Final = "topic_gone"


class TopicWatch:
    """Compares the topic's id with the one before; same thread as the source."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self._was_there = False
        self._is_gone = False

    def check(self) -> None:
        """Report a change; of another topic with the same name everything is read."""
        found = topic_id(self._membership.consumer, self._membership.topic)
        if found is None:
            self._missing()
            return
        if self._is_gone:
            self._back()
        self._was_there = True
        placed = self._membership.positions()
        ids = self._membership.topic_ids
        self._membership.start_over([partition for partition in placed if ids.get(partition) not in {None, found}])

    def _missing(self) -> None:
        if not self._was_there:  # the client has not asked yet
            return
        update_metadata(self._membership.consumer)
        topic = self._membership.topic
        self._membership.troubles[_CODE] = f"topic `{topic}` was deleted"
        if not self._is_gone:
            self._is_gone = True
            log.warning("events_topic_gone", topic=topic, hint="`moderator topics create` creates it again")

    def _back(self) -> None:
        self._is_gone = False
        self._membership.troubles.pop(_CODE, None)
        log.info("events_topic_back", topic=self._membership.topic)
