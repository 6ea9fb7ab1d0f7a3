"""Which rights `run` lacks, found before anything is read, written or joined."""

import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.errors import (
    AuthorizationError,
    KafkaError,
    NoError,
    RetriableError,
    TopicAuthorizationFailedError,
    UnknownMemberIdError,
    for_code,
)
from kafka.protocol.consumer import HeartbeatRequest
from kafka.protocol.metadata import CoordinatorType
from kafka.protocol.producer import InitProducerIdRequest

from moderator.errors import ConfigurationError
from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import TRANSACTION_TIMEOUT_MS

_SEEN: Final = "DESCRIBE"
"""Among the rights on every topic that we may see, where the brokers say them at all."""
_RETRY_FOR_S: Final = 10.0
"""A coordinator may be away for a moment; its first start takes some seconds."""
_RETRY_EVERY_S: Final = 0.2


def require_rights(admin: KafkaAdminClient, settings: KafkaSettings) -> None:
    """Check each right that `run` needs; changes nothing but to use up a transactional id that nobody else has.

    Raises:
        ConfigurationError: some are missing; the text names resource, operation and, where known, the principal.
        KafkaError: the brokers do not answer.
    """
    if missing := [*_missing_on_topics(admin, settings), *_missing_on_ids(admin, settings)]:
        principal = f"`User:{settings.sasl_username}`" if settings.sasl_username else "this client"
        raise ConfigurationError(
            f"Kafka at `{settings.bootstrap_servers}` does not allow {principal} {', '.join(missing)}; "
            "add these rights to the brokers' access lists"
        )


def _missing_on_topics(admin: KafkaAdminClient, settings: KafkaSettings) -> Iterator[str]:
    needed = {settings.events_topic: "READ"}
    needed |= dict.fromkeys((settings.flag_topic, settings.allow_topic, settings.dead_letter_topic), "WRITE")
    for topic in admin.describe_topics(list(needed)):
        operation, rights = needed[topic["name"]], topic["authorized_operations"]
        is_hidden = for_code(topic["error_code"]) is TopicAuthorizationFailedError
        if is_hidden or (_SEEN in rights and operation not in rights):
            yield f"{operation} on topic `{topic['name']}`"


def _missing_on_ids(admin: KafkaAdminClient, settings: KafkaSettings) -> Iterator[str]:
    group = settings.group_id
    # UNKNOWN_MEMBER_ID means that the right is there; the group does not notice the question
    heartbeat = HeartbeatRequest(group_id=group, generation_id=0, member_id=f"moderator-check-{uuid.uuid4().hex}")
    if not _is_allowed(admin, heartbeat, group, CoordinatorType.GROUP):
        yield f"READ on group `{group}`"
    if settings.delivery == "exactly_once":
        # never our own id: that would end the transaction of the replica that uses it
        throw_away = f"{group}-check-{uuid.uuid4().hex}"
        request = InitProducerIdRequest(
            transactional_id=throw_away,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            producer_id=-1,
            producer_epoch=-1,
        )
        if not _is_allowed(admin, request, throw_away, CoordinatorType.TRANSACTION):
            yield f"WRITE on transactional ids that begin with `{group}`"


def _is_allowed(admin: KafkaAdminClient, request: Any, key: str, kind: CoordinatorType) -> bool:
    """Ask the coordinator of `key`, again while it cannot answer yet."""
    until_s = time.monotonic() + _RETRY_FOR_S
    while True:
        try:
            _ask(admin, request, key, kind)
        except AuthorizationError:
            return False
        except RetriableError:
            if time.monotonic() > until_s:
                raise
            time.sleep(_RETRY_EVERY_S)
        else:
            return True


def _ask(admin: KafkaAdminClient, request: Any, key: str, kind: CoordinatorType) -> None:
    manager = admin._manager  # noqa: SLF001 - the client has no public way to send these two
    coordinator = manager.run(admin._find_coordinator_id, key, kind)  # noqa: SLF001
    answer = manager.run(_send, manager, request, coordinator)
    error: type[KafkaError] = for_code(answer.error_code)
    if error not in _GRANTED:
        raise error(f"{type(request).__name__} for `{key}`")


async def _send(manager: Any, request: Any, node: Any) -> Any:
    return await manager.send(request, node_id=node)


_GRANTED: Final[Sequence[type[KafkaError]]] = (NoError, UnknownMemberIdError)
