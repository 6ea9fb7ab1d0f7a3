"""Begin a run over a range, or continue it: read once, written exactly once, and continued where it was killed.

What is read, written, and the positions of one step are one transaction. The ends of the range are fixed when the run
begins, and are kept in the metadata of its positions together with a hash of the options.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial

from kafka import KafkaConsumer
from kafka.errors import AuthorizationError, KafkaError
from prometheus_client import CollectorRegistry

from moderator.errors import BrokerUnavailableError, ConfigurationError, FencedError
from moderator.events import DecidedSpan, Partition
from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import (
    TRANSACTION_TIMEOUT_MS,
    client_settings,
    outsider,
    producer,
    producer_settings,
    range_reader,
    unreachable,
)
from moderator.stream.kafka.consuming.client_state import topic_id
from moderator.stream.kafka.producing.awaited import awaited
from moderator.stream.kafka.producing.exactly_once import ExactlyOnce
from moderator.stream.kafka.producing.failure_budget import FailureBudget
from moderator.stream.kafka.producing.last_end import last_end
from moderator.stream.kafka.producing.sink import KafkaSink
from moderator.stream.kafka.ranges.frozen_range import Ends, FrozenRange, count, partitions_of, resolve
from moderator.stream.kafka.replaying.run import RETRY_S, Reading, Run, Writing, publish, run_name
from moderator.stream.kafka.replaying.run_group import RunGroup
from moderator.stream.kafka.replaying.run_position import RunPosition

_ANSWER_S = 20.0
"""Longer than the 14 s that brokers need to end a transaction which a crash left open."""


@contextmanager
def open_range(settings: KafkaSettings, reading: Reading) -> Iterator[Run]:
    """Open a range for reading alone: nothing is written or committed.

    Raises:
        BrokerUnavailableError: the brokers do not answer.
        ConfigurationError: a topic or partition is missing.
    """
    with ExitStack() as stack:
        with _start_errors(settings):
            consumer = stack.enter_context(_closing(range_reader(client_settings(settings))))
            ends = resolve(consumer, reading.topics, reading.wanted)
        yield Run(_source(consumer, ends, reading), None, ends)


@contextmanager
def open_run(settings: KafkaSettings, reading: Reading, writing: Writing) -> Iterator[Run]:
    """Begin a run, or continue the one of that name; its positions are written down before anything is read.

    Raises:
        BrokerUnavailableError: the brokers do not answer.
        ConfigurationError: a topic or partition is missing, or the run was started with other options.
        FencedError: another process makes this run.
    """
    name = run_name(settings, writing.run_id)
    client = client_settings(settings)
    with ExitStack() as stack:
        with _start_errors(settings):
            group = stack.enter_context(closing(RunGroup(range_reader(client, name), name)))
            consumer = stack.enter_context(_closing(range_reader(client)))
            sink = stack.enter_context(closing(_sink(settings, group, writing)))
            _claim(sink, settings.start_timeout_s)
            stored = _stored(group, consumer, reading, writing)
            positions = stored or _positions(consumer, resolve(consumer, reading.topics, reading.wanted), writing)
        ends = _ends_of(positions)
        if stored:
            group.positions = stored
        elif count(ends):
            _write_down(sink, group.begin(positions), settings)
        source = _source(consumer, ends, reading)
        try:
            yield Run(source, sink, ends, is_continued=bool(stored))
        except FencedError as error:
            raise _fenced(writing.run_id) from error


def peek(settings: KafkaSettings, reading: Reading, writing: Writing | None) -> Run:
    """Give a run as it would begin or go on, closed already; changes nothing.

    Raises:
        BrokerUnavailableError: the brokers do not answer.
        ConfigurationError: a topic or partition is missing, or the run was started with other options.
    """
    with ExitStack() as stack, _start_errors(settings):
        name = run_name(settings, writing.run_id) if writing else None
        # a transaction that a crash left open would hide the positions until the brokers end it
        client = client_settings(settings)
        consumer = stack.enter_context(_closing(outsider(client, isolation_level="read_uncommitted", group_id=name)))
        group = RunGroup(consumer, name or "")
        stored = _stored(group, consumer, reading, writing) if writing else {}
        ends = _ends_of(stored) if stored else resolve(consumer, reading.topics, reading.wanted)
        return Run(FrozenRange(consumer, {}), None, ends, is_continued=bool(stored))


def _source(consumer: KafkaConsumer, ends: Ends, reading: Reading) -> FrozenRange:
    return FrozenRange(consumer, ends, selects=reading.selects, rate=reading.rate)


def _sink(settings: KafkaSettings, group: RunGroup, writing: Writing) -> KafkaSink:
    client, metrics = client_settings(settings), Metrics(CollectorRegistry())
    limit_bytes = writing.limit_bytes
    written = {
        **client,
        **producer_settings(
            settings.compression, largest_record_bytes=limit_bytes, smallest_batch_limit_bytes=limit_bytes
        ),
        "transactional_id": group.name,
        "transaction_timeout_ms": TRANSACTION_TIMEOUT_MS,
    }
    delivery = ExactlyOnce(
        group,
        writing.send,
        topics=[writing.topic],
        ask_last_end=partial(last_end, client, group.name, group.name),
        group_id=group.name,
        transaction_timeout_s=TRANSACTION_TIMEOUT_MS / 1_000,
        metrics=metrics,
        confirm_s=0.0,
    )
    asked = partial(awaited, client, [writing.topic], group.name, group.name)
    return KafkaSink(
        group,
        delivery,
        partial(producer, client, written),
        reject_oversized=writing.reject_oversized,
        failure_budget=FailureBudget(group, metrics, asked),
    )


def _claim(sink: KafkaSink, timeout_s: float) -> None:
    """End what an earlier process left open, and keep it from writing any more."""
    until_s = time.monotonic() + timeout_s
    while True:
        try:
            sink.claim()
        except AuthorizationError:
            raise
        except KafkaError:
            if time.monotonic() > until_s:
                raise
            time.sleep(RETRY_S)
        else:
            return


def _stored(
    group: RunGroup, consumer: KafkaConsumer, reading: Reading, writing: Writing
) -> dict[Partition, RunPosition]:
    """Give where the run goes on; empty for a new one."""
    found = group.stored(partitions_of(consumer, reading.topics), _ANSWER_S)
    stored = {each: position for each, position in found.items() if position is not None}
    if len(stored) < len(found) or any(position.options != writing.options for position in stored.values()):
        raise ConfigurationError(
            f"the run `{writing.run_id}` was started with other options: repeat those, or name another `--id`"
        )
    for each, position in stored.items():
        if position.topic_id != topic_id(consumer, each.topic):
            raise ConfigurationError(
                f"topic `{each.topic}` was created again since the run `{writing.run_id}` began: name another `--id`"
            )
    return stored


def _positions(consumer: KafkaConsumer, ends: Ends, writing: Writing) -> Mapping[Partition, RunPosition]:
    return {
        each: RunPosition(start, end, writing.options, topic_id(consumer, each.topic))
        for each, (start, end) in ends.items()
    }


def _ends_of(positions: Mapping[Partition, RunPosition]) -> Ends:
    return {each: (position.offset, position.end) for each, position in positions.items()}


def _fenced(run_id: str) -> FencedError:
    return FencedError(f"another process makes the run `{run_id}`: one is enough; this one has ended, nothing is lost")


def _write_down(sink: KafkaSink, spans: list[DecidedSpan], settings: KafkaSettings) -> None:
    until_s = time.monotonic() + settings.start_timeout_s
    if len(publish(sink, spans, lambda: time.monotonic() > until_s)) < len(spans):
        raise BrokerUnavailableError(
            f"Kafka at `{settings.bootstrap_servers}` has not taken the run's first positions within "
            f"{settings.start_timeout_s:g} s (`MODERATOR_KAFKA__START_TIMEOUT_S`)"
        )


@contextmanager
def _closing(consumer: KafkaConsumer) -> Iterator[KafkaConsumer]:
    try:
        yield consumer
    finally:
        consumer.close(autocommit=False)


@contextmanager
def _start_errors(settings: KafkaSettings) -> Iterator[None]:
    try:
        yield
    except AuthorizationError as error:
        raise ConfigurationError(
            f"Kafka does not allow it: `{error}`; a run reads its topics, uses a group and a transactional id that "
            f"begin with `{settings.group_id}-replay-`, and writes one topic"
        ) from error
    except KafkaError as error:
        raise unreachable(settings, error) from error
