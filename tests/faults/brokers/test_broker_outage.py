"""The broker killed under load, back at once or after a while: the process stays, nothing is lost, nothing doubled."""

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from moderator.demo.examples import example_policies
from moderator.demo.servers.kafka import LocalKafka
from moderator.events import DeadLetter, EncodedDecision, Record
from moderator.stream.kafka.connection import producer_settings
from moderator.stream.kafka.producing.producers import Producers
from moderator.stream.kafka.producing.transaction import begin_offsets
from moderator.supervisor.child import is_open
from tests.faults.killable import Replica
from tests.faults.loop import a_loop, running
from tests.faults.oracle import assert_each_event_came_out_once
from tests.kafka_stream import (
    admin_of,
    await_committed,
    committed_offsets,
    every_tenth_is_dead,
    kafka_variables,
    produce,
    some_topics,
)
from tests.servers.console_source import RunningSource, publish
from tests.unit.console.decisions import a_decision, encoded
from tests.waiting import PATIENCE_S, await_condition
from tests.warm.process import WarmReplica

pytestmark = pytest.mark.xdist_group("broker that is killed")

PER_PARTITION = 2_000
EVENTS = 3 * PER_PARTITION
FOR_A_REPLICA = 15_000
"""It decides thousands in a window."""


@pytest.fixture(scope="module")
def started(kafka_tools: None) -> Iterator[LocalKafka]:
    """One that only these tests kill, one after the other."""
    with LocalKafka() as broker:
        yield broker


@pytest.fixture
def broker(started: LocalKafka) -> Iterator[LocalKafka]:
    yield started
    if not is_open(int(started.bootstrap_servers.rpartition(":")[2])):  # the test failed before it started it again
        started.start()


@pytest.mark.parametrize(
    "away_s", [pytest.param(0, marks=pytest.mark.long), 8, pytest.param(100, marks=pytest.mark.long)]
)
def test_each_event_comes_out_once_when_the_broker_is_killed_and_comes_back(broker: LocalKafka, away_s: int) -> None:
    settings = some_topics(broker.bootstrap_servers)
    produce(settings, (b"%d" % number for number in range(EVENTS)))
    is_killed = threading.Event()

    def last_are_decided_afterwards(record: Record) -> EncodedDecision | DeadLetter:
        assert record.offset < PER_PARTITION - 1 or is_killed.wait(PATIENCE_S)
        return every_tenth_is_dead(record)

    with closing(a_loop(settings, last_are_decided_afterwards)) as loop, running(loop):
        await_condition(lambda: loop.committed > EVENTS // 10)
        broker.kill()
        is_killed.set()
        assert loop.committed < EVENTS
        time.sleep(away_s)
        threads = threading.active_count()
        broker.start()
        await_condition(lambda: loop.committed >= EVENTS)

    assert_each_event_came_out_once(settings, [PER_PARTITION] * 3)
    assert threading.active_count() <= threads + 2


def test_a_producer_that_was_given_up_opens_no_transaction_when_the_broker_is_back(broker: LocalKafka) -> None:
    settings = some_topics(broker.bootstrap_servers)
    name = settings.group_id
    client = producer_settings("none", largest_record_bytes=2**20, smallest_batch_limit_bytes=2**20)
    made = KafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=name, **client)
    producers = Producers(lambda: made)
    producers.get().init_transactions()
    position = {TopicPartition(settings.events_topic, 0): OffsetAndMetadata(1, "", -1)}

    broker.pause()
    made.begin_transaction()
    begin_offsets(made, position, ConsumerGroupMetadata(name, -1, "", None))
    await_condition(made._transaction_manager.has_in_flight_transactional_request)  # it is sent again after the kill
    broker.kill()
    producers.drop()
    broker.start()

    await_condition(lambda: not made._sender.is_alive())
    with admin_of(settings) as admin:
        await_condition(lambda: _state_of_transactions(admin, name) is not None)
        assert _state_of_transactions(admin, name) == "Empty"


def _state_of_transactions(admin: KafkaAdminClient, name: str) -> str | None:
    """Ask the broker; None while it is still reading its log."""
    try:
        return str(admin.describe_transactions([name])[name].state.value)
    except (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError):
        return None


def test_requests_are_answered_whether_or_not_a_broker_answers(broker: LocalKafka) -> None:
    settings = some_topics(broker.bootstrap_servers)
    variables = {
        "MODERATOR_MODEL__PATH": "builtin",
        "MODERATOR_POLICIES__PATH": str(example_policies()),
        "MODERATOR_HTTP__DEADLINE_MS": "60000",
    }

    with WarmReplica(kafka_variables(settings) | variables) as replica:
        assert replica.await_ready(PATIENCE_S), replica.last_lines()
        broker.kill()
        answers = [_ask(replica, number) for number in range(3)]
        broker.start()
        produce(settings, [b'{"text": "afterwards"}'])
        await_committed(settings, [1, 0, 0])

    assert [answer["status"] for answer in answers] == ["scored"] * 3


def _ask(replica: WarmReplica, number: int) -> dict[str, object]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{replica.http_port}/v1/decisions",
        b'{"text": "without a broker %d"}' % number,
        {"Content-Type": "application/json"},
    )
    answer: dict[str, object] = json.load(urllib.request.urlopen(request, timeout=PATIENCE_S))
    return answer


@pytest.mark.long
def test_a_replica_gathers_no_threads_and_files_while_the_broker_is_away(broker: LocalKafka, tmp_path: Path) -> None:
    settings = some_topics(broker.bootstrap_servers)
    produce(settings, (b'{"text": "%d"}' % number for number in range(FOR_A_REPLICA)))

    with Replica(settings, tmp_path, None, scoring_s=0.5) as replica:
        assert replica.child
        process = psutil.Process(replica.child.pid)
        await_condition(lambda: sum(committed_offsets(settings)) > 0)
        threads, files = process.num_threads(), process.num_fds()
        broker.kill()
        time.sleep(15)
        gathered = process.num_threads() - threads, process.num_fds() - files
        broker.start()
        await_condition(lambda: sum(committed_offsets(settings)) >= FOR_A_REPLICA)

    # some connections are always on their way; what nobody frees is 4 more in each second
    assert max(gathered) <= 20


def test_a_console_says_that_the_broker_is_away_and_goes_on_when_it_is_back(broker: LocalKafka) -> None:
    settings = some_topics(broker.bootstrap_servers)
    publish(settings, settings.flag_topic, encoded(a_decision(1, flag=True)))
    console = RunningSource(settings)
    try:
        console.await_state("live")
        broker.kill()
        console.await_state("broken")
        shown_meanwhile = console.events()
        broker.start()
        publish(settings, settings.allow_topic, encoded(a_decision(2)))
        await_condition(lambda: len(console.events()) > 1)
        console.await_state("live")
    finally:
        console.close()

    assert shown_meanwhile == ["evt-1"]
    assert console.events() == ["evt-1", "evt-2"]
