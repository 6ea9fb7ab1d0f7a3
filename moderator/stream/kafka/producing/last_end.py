"""How the last transaction of an id ended; a new producer asks before it starts, since the broker forgets it then."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

from kafka import TopicPartition
from kafka.admin import TransactionState
from kafka.errors import KafkaError, TransactionalIdNotFoundError, UnsupportedVersionError

from moderator.stream.kafka.connection import asking

_COMMITTED: Final = (TransactionState.PREPARE_COMMIT, TransactionState.COMPLETE_COMMIT)
_LISTED: Final = (TransactionState.ONGOING, TransactionState.PREPARE_ABORT)
_FORGOTTEN: Final = (TransactionState.EMPTY, TransactionState.DEAD, TransactionState.UNKNOWN)
_TRIED_FOR_S: Final = 3.0
_ASK_AGAIN_AFTER_S: Final = 0.1


class LastEnd(NamedTuple):
    """How a transaction ended or, where it is still open, how a new producer with its id ends it.

    Attributes:
        is_commit: by a commit.
        partitions: where it may have written records that are undone; None: anywhere.
    """

    is_commit: bool
    partitions: Collection[TopicPartition] | None


COMMIT: Final = LastEnd(is_commit=True, partitions=())
FORGOTTEN: Final = LastEnd(is_commit=False, partitions=())
"""There was none since a producer with this id started, or the brokers are older than 3.0."""


def last_end(client: Mapping[str, Any], group_id: str, transactional_id: str) -> LastEnd:
    """Ask the coordinators of a group and of a transactional id; takes some seconds.

    Raises:
        KafkaError: no answer, or the partition that holds the group's positions has no leader: a transaction that ends
            now would be left open there.
    """
    until_s = time.monotonic() + _TRIED_FOR_S
    with asking(client) as admin:
        _tried(lambda: admin.describe_groups([group_id]), until_s)  # raises where no coordinator is found
        try:
            found = _tried(lambda: admin.describe_transactions([transactional_id])[transactional_id], until_s)
        except (TransactionalIdNotFoundError, UnsupportedVersionError):
            return FORGOTTEN
    if found.state in _FORGOTTEN:
        return FORGOTTEN
    if found.state in _COMMITTED:
        return COMMIT
    return LastEnd(is_commit=False, partitions=found.topic_partitions if found.state in _LISTED else None)


def _tried(ask: Callable[[], Any], until_s: float) -> Any:
    """Ask again for a while: a new cluster has no coordinators before the first question."""
    while True:
        try:
            return ask()
        except KafkaError as error:
            if not error.retriable or time.monotonic() > until_s:
                raise
        time.sleep(_ASK_AGAIN_AFTER_S)
