"""Connects source and sink: one membership of the group, read by the source, committed by the sink."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import AuthorizationError, KafkaError

from moderator.counted import counted
from moderator.errors import ConfigurationError
from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import (
    TRANSACTION_TIMEOUT_MS,
    client_settings,
    consumer_settings,
    outsider,
    probe_brokers,
    producer_settings,
    reader,
    unreachable,
)
from moderator.stream.kafka.connection import producer as new_producer
from moderator.stream.kafka.consuming import group_start
from moderator.stream.kafka.consuming.membership import TRIAL_EVENTS, Membership
from moderator.stream.kafka.consuming.placing import Placing
from moderator.stream.kafka.consuming.position import Finding, Position
from moderator.stream.kafka.consuming.source import KafkaSource
from moderator.stream.kafka.producing.at_least_once import AtLeastOnce
from moderator.stream.kafka.producing.awaited import awaited
from moderator.stream.kafka.producing.delivery import Delivery
from moderator.stream.kafka.producing.exactly_once import ExactlyOnce
from moderator.stream.kafka.producing.failure_budget import FailureBudget
from moderator.stream.kafka.producing.last_end import last_end
from moderator.stream.kafka.producing.marking import Marking
from moderator.stream.kafka.producing.sender import OutcomeSender
from moderator.stream.kafka.producing.sink import KafkaSink
from moderator.stream.kafka.topics import holds_markers

_CONFIRM_S = 5.0
"""The client counts heartbeats of the last few seconds: longer than that, by more than one heartbeat."""


def connect(
    settings: KafkaSettings,
    limits_bytes: Mapping[str, int],
    metrics: Metrics,
    *,
    trial_events: int = TRIAL_EVENTS,
    give_way: Callable[[], object] = lambda: None,
) -> tuple[KafkaSource, KafkaSink]:
    """Connect a source and a sink that share one membership of the group; the first poll joins it.

    Args:
        settings: brokers, topics, delivery.
        limits_bytes: the largest record that each output topic accepts, as `topics.await_topics` found them.
        metrics: where failed publications and settled doubts are counted.
        trial_events: how many events of one partition may be in flight: two windows.
        give_way: see `OutcomeSender`.

    Raises:
        BrokerUnavailableError: the brokers do not answer.
    """
    client = client_settings(settings)
    try:
        membership = Membership(lambda: member(settings, client), settings.events_topic, metrics, trial_events)
    except KafkaError as error:
        raise unreachable(settings, error) from error
    send = OutcomeSender(settings, limits_bytes, time.time, give_way=give_way)
    return of_membership(membership, settings, client, send, metrics)


def begin_group(settings: KafkaSettings) -> None:
    """Write down where a new group begins, before anything is read; any other group is not changed.

    Raises:
        BrokerUnavailableError: the brokers do not answer.
        ConfigurationError: a human has to say where it begins, or we may not read the group.
    """
    with _start_errors(settings):
        group_start.begin_group(settings, partial(outsider, client_settings(settings)))


def describe_start(settings: KafkaSettings) -> str:
    """Say for each partition where the group would begin and how many events would be judged; changes nothing.

    Raises:
        BrokerUnavailableError, ConfigurationError: see `begin_group`; or events are lost, and that stops a start.
    """
    with _start_errors(settings):
        start = group_start.plan_start(settings, partial(outsider, client_settings(settings)))
    losses = {partition: _loss(*each) for partition, each in start.lost.items()}
    if losses and settings.on_lost_events == "stop":
        raise ConfigurationError(_refusal(settings, losses))
    places = [
        f"partition {partition.partition} at {place:,} ({counted(start.logs[partition].end - place, 'event')}"
        + (f"; {losses[partition]})" if partition in losses else ")")
        for partition, place in start.places.items()
    ]
    group = f"{'new ' if start.is_new else ''}group `{settings.group_id}`"
    return f"{group}, {counted(start.events, 'event')} to judge: {', '.join(places)}"


def _loss(position: Position, findings: list[Finding]) -> str:
    return f"the group's position is {position.offset}, but {' and '.join(each.text for each in findings)}"


def _refusal(settings: KafkaSettings, losses: Mapping[TopicPartition, str]) -> str:
    what = ", ".join(f"partition {partition.partition}: {loss}" for partition, loss in losses.items())
    return (
        f"topic `{settings.events_topic}` {what}; `MODERATOR_KAFKA__ON_LOST_EVENTS=stop` lets no start go on there: "
        f"set it to `continue`, or set the positions of group `{settings.group_id}` with "
        "`kafka-consumer-groups.sh --reset-offsets`"
    )


def of_membership(
    membership: Membership,
    settings: KafkaSettings,
    client: Mapping[str, Any],
    sender: OutcomeSender,
    metrics: Metrics,
) -> tuple[KafkaSource, KafkaSink]:
    """Make source and sink of a membership; the parameters are those of `sink_for`."""
    sink = sink_for(membership, settings, client, sender, metrics)
    placing = Placing(
        membership,
        settings.on_lost_events,
        metrics,
        holds_markers=lambda partition: holds_markers(settings, partition),
        end_left_open=sink.end_left_open,
    )
    return KafkaSource(membership, placing, lambda: reader(client)), sink


def sink_for(
    membership: Membership,
    settings: KafkaSettings,
    client: Mapping[str, Any],
    sender: OutcomeSender,
    metrics: Metrics,
) -> KafkaSink:
    """Make the sink with the delivery that the settings choose.

    Args:
        membership: shared with the source.
        settings: brokers, topics, delivery.
        client: what every client needs, see `client_settings`.
        sender: passes outcomes to the producer.
        metrics: where failed publications and settled doubts are counted.
    """
    limits_bytes = sender.limits_bytes.values()
    written = producer_settings(
        settings.compression, largest_record_bytes=max(limits_bytes), smallest_batch_limit_bytes=min(limits_bytes)
    )
    producer = {**client, **written}
    named = transactional_id(settings) if settings.delivery == "exactly_once" else None
    if named:
        producer |= {"transactional_id": named, "transaction_timeout_ms": TRANSACTION_TIMEOUT_MS}
    asked = partial(awaited, client, list(sender.limits_bytes), settings.group_id, named)
    failure_budget = FailureBudget(membership, metrics, asked)
    sink = KafkaSink(
        membership,
        _delivery(membership, settings, sender, metrics, client=client, transactional_id=named),
        partial(new_producer, client, producer),
        reject_oversized=sender.reject_oversized,
        failure_budget=failure_budget,
        marking=Marking(membership, failure_budget),
    )
    if settings.delivery == "exactly_once" and settings.instance_id:
        sink.take_over()
    return sink


def _delivery(
    membership: Membership,
    settings: KafkaSettings,
    sender: OutcomeSender,
    metrics: Metrics,
    *,
    client: Mapping[str, Any],
    transactional_id: str | None,
) -> Delivery:
    if transactional_id is None:
        return AtLeastOnce(membership, sender)
    return ExactlyOnce(
        membership,
        sender,
        topics=list(sender.limits_bytes),
        ask_last_end=partial(last_end, client, settings.group_id, transactional_id),
        group_id=settings.group_id,
        transaction_timeout_s=TRANSACTION_TIMEOUT_MS / 1_000,
        metrics=metrics,
        confirm_s=_CONFIRM_S if settings.instance_id else 0.0,  # no other process has a random id
    )


def transactional_id(settings: KafkaSettings) -> str:
    """Name the producer after the instance, so that a restart ends what a crash left open; else at random.

    It starts with the group's name, which access lists can match as a prefix.
    """
    return f"{settings.group_id}-{settings.instance_id or uuid.uuid4().hex}"


def member(settings: KafkaSettings, client: Mapping[str, Any]) -> KafkaConsumer:
    """Make a consumer that is a member of the group.

    Raises:
        KafkaError: the brokers do not answer.
    """
    probe_brokers(client)
    # cooperative only: the client does not allow it together with eager ones
    assignors = [CooperativeStickyAssignor]
    return KafkaConsumer(**{**consumer_settings(settings), **client}, partition_assignment_strategy=assignors)


@contextmanager
def _start_errors(settings: KafkaSettings) -> Iterator[None]:
    try:
        yield
    except AuthorizationError as error:
        raise ConfigurationError(
            f"Kafka gives us no right to read as group `{settings.group_id}`: `{error}`"
        ) from error
    except KafkaError as error:
        raise unreachable(settings, error) from error
