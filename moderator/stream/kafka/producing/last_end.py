"""How the last transaction of an id ended; a new producer asks before it starts, since the broker forgets it then."""

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from kafka.admin import TransactionState
from kafka.errors import GroupIdNotFoundError, KafkaError, TransactionalIdNotFoundError, UnsupportedVersionError

from moderator.stream.kafka.connection import asking

LastEnd = Literal["commit", "abort"]
"""How a transaction ended or, where it is still open, how a new producer with its id ends it."""

_COMMITTED: Final = (TransactionState.PREPARE_COMMIT, TransactionState.COMPLETE_COMMIT)
_TRIED_FOR_S: Final = 3.0
_ASK_AGAIN_AFTER_S: Final = 0.1
_FORGOTTEN: Final = (TransactionState.EMPTY, TransactionState.DEAD, TransactionState.UNKNOWN)


def last_end(client: Mapping[str, Any], group_id: str, transactional_id: str) -> LastEnd | None:
    """Ask the coordinators of a group and of a transactional id; takes some seconds at most.

    Returns:
        How the id's last transaction ended; None: it has had none since a producer with this id started, or the brokers
        are older than 3.0.

    Raises:
        KafkaError: no answer, or the partition that holds the group's positions has no leader: a transaction that ends
            now would be left open there.
    """
    until_s = time.monotonic() + _TRIED_FOR_S
    with asking(client) as admin:
        with contextlib.suppress(GroupIdNotFoundError):
            _tried(lambda: admin.describe_groups([group_id]), until_s)
        try:
            state = _tried(lambda: admin.describe_transactions([transactional_id])[transactional_id].state, until_s)
        except (TransactionalIdNotFoundError, UnsupportedVersionError):
            return None
    if state in _FORGOTTEN:
        return None
    return "commit" if state in _COMMITTED else "abort"


def _tried(ask: Callable[[], Any], until_s: float) -> Any:
    """Ask again for a while: a new cluster has no coordinators before the first question."""
    while True:
        try:
            return ask()
        except KafkaError as error:
            if not error.retriable or time.monotonic() > until_s:
                raise
        time.sleep(_ASK_AGAIN_AFTER_S)
