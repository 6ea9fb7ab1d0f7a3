"""Puts the Kafka side together: one membership of the group, read by the source, committed by the sink."""

import time
import uuid
from collections.abc import Mapping
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import AuthorizationError, KafkaError

from moderator.errors import BrokerUnavailableError, ConfigurationError
from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from moderator.stream.kafka.commit import DEADLINE_S, Commit, Send
from moderator.stream.kafka.connection import (
    TRANSACTION_TIMEOUT_MS,
    client_settings,
    consumer_settings,
    producer_settings,
    require_broker,
)
from moderator.stream.kafka.consuming.beginning import begin_at_the_end
from moderator.stream.kafka.consuming.membership import Membership
from moderator.stream.kafka.consuming.source import KafkaSource
from moderator.stream.kafka.producing.at_least_once import AtLeastOnce
from moderator.stream.kafka.producing.exactly_once import ExactlyOnce
from moderator.stream.kafka.producing.failure_budget import FailureBudget
from moderator.stream.kafka.producing.sink import KafkaSink, OutcomeSender

_CONFIRM_S = 5.0
"""Longer than the client looks back for heartbeats, by more than one of them."""


def join(settings: KafkaSettings, limits_bytes: Mapping[str, int], metrics: Metrics) -> tuple[KafkaSource, KafkaSink]:
    """Connect a source and a sink that share one place in the group; the first poll joins it.

    Args:
        settings: brokers, topics, delivery.
        limits_bytes: the largest record that each output topic takes, as `admin.await_topics` found them.
        metrics: where failed publications and settled doubts are counted.

    Raises:
        BrokerUnavailableError: the brokers do not answer.
        ConfigurationError: the group is new, is to begin at the end, and may not be read by us.
    """
    client = client_settings(settings)
    try:
        membership = Membership(lambda: _member(settings, client), settings.events_topic)
    except KafkaError as error:
        raise BrokerUnavailableError(f"Kafka at `{settings.bootstrap_servers}` does not answer: `{error}`") from error
    source = KafkaSource(membership, lambda: _reader(client))
    send = OutcomeSender(settings, limits_bytes, time.time)
    commit = _commit(settings, client, membership, send, limits_bytes=limits_bytes, metrics=metrics)
    sink = KafkaSink(commit, send)
    if settings.start_at == "latest":
        try:
            _begin_at_the_end(settings, client)  # what a crash left open, and would hide offsets, has been ended by now
        except BaseException:
            sink.close()
            source.close()
            raise
    return source, sink


def _begin_at_the_end(settings: KafkaSettings, client: Mapping[str, Any]) -> None:
    try:
        begin_at_the_end(lambda: _reader(client, group_id=settings.group_id), settings.events_topic)
    except AuthorizationError as error:
        raise ConfigurationError(
            f"Kafka gives us no right to read as group `{settings.group_id}`: `{error}`"
        ) from error
    except KafkaError as error:
        raise BrokerUnavailableError(f"Kafka at `{settings.bootstrap_servers}` does not answer: `{error}`") from error


def _commit(
    settings: KafkaSettings,
    client: Mapping[str, Any],
    membership: Membership,
    send: Send,
    *,
    limits_bytes: Mapping[str, int],
    metrics: Metrics,
) -> Commit:
    producer = {**client, **producer_settings(max(limits_bytes.values()), min(limits_bytes.values()))}
    patience = FailureBudget(membership, metrics)
    if settings.delivery == "at_least_once":
        return AtLeastOnce(membership, lambda: _producer(client, producer), send, patience=patience)
    transactional = {
        **producer,
        "transactional_id": transactional_id(settings),
        "transaction_timeout_ms": TRANSACTION_TIMEOUT_MS,
    }
    commit = ExactlyOnce(
        membership,
        lambda: _producer(client, transactional),
        send,
        transaction_timeout_s=TRANSACTION_TIMEOUT_MS / 1_000,
        patience=patience,
        metrics=metrics,
        deadline_s=DEADLINE_S,
        # a random id is nobody else's
        confirm_s=_CONFIRM_S if settings.instance_id else 0.0,
    )
    if settings.instance_id:
        commit.take_over()
    return commit


def transactional_id(settings: KafkaSettings) -> str:
    """Name the producer: after the instance, so that a restart ends what a crash left open; else after nobody.

    It starts with the group's name, which access lists can match as a prefix.
    """
    return f"{settings.group_id}-{settings.instance_id or uuid.uuid4().hex}"


def _member(settings: KafkaSettings, client: Mapping[str, Any]) -> KafkaConsumer:
    # cooperative alone: the client refuses it beside eager ones
    assignors = [CooperativeStickyAssignor]
    require_broker(client)
    return KafkaConsumer(**client, **consumer_settings(settings), partition_assignment_strategy=assignors)


def _producer(client: Mapping[str, Any], settings: Mapping[str, Any]) -> KafkaProducer:
    require_broker(client)
    return KafkaProducer(**settings)


def _reader(client: Mapping[str, Any], group_id: str | None = None) -> KafkaConsumer:
    require_broker(client)
    return KafkaConsumer(**client, group_id=group_id, isolation_level="read_committed", enable_auto_commit=False)
