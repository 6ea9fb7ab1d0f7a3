"""`kill -9` at any moment: nothing is lost, nothing doubled."""

import json
import random
import signal
import threading
import time
from contextlib import closing
from operator import ge
from pathlib import Path
from typing import Self

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from moderator.settings import KafkaSettings
from tests.faults.killable import SCORING_BEGAN, Replica, running
from tests.faults.oracle import assert_each_event_came_out_once, place_of
from tests.kafka_stream import await_committed, output_topics, read_committed, some_topics
from tests.servers.shared import SharedKafka
from tests.waiting import PATIENCE_S, await_condition

PARTITIONS = 3
EVENTS_PER_S = 200
BACK_WITHIN_S = 15.0
KILLS_PER_S = 0.3
AT_LEAST_ONCE_KILLS_PER_S = 0.25
THREE_REPLICAS_KILLS_PER_S = 0.2
"""In the 20 s of each load these are 15 kills in all; where a start takes longer, the load goes on until they are."""


class Load:
    """Produces events at a steady rate on a thread of its own, a malformed one among twenty."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._produce, daemon=True)
        self.sent = [0] * PARTITIONS

    @property
    def events(self) -> int:
        return sum(self.sent)

    def _produce(self) -> None:
        producer = KafkaProducer(bootstrap_servers=self._settings.bootstrap_servers, linger_ms=5)
        while not self._stop.wait(10 / EVENTS_PER_S):
            for _ in range(10):
                number = self.events
                producer.send(
                    self._settings.events_topic,
                    self._value(number),
                    b"c-%d" % (number % 50),
                    partition=number % PARTITIONS,
                )
                self.sent[number % PARTITIONS] += 1
        producer.close()

    @staticmethod
    def _value(number: int) -> bytes:
        return (
            b"not json" if number % 20 == 0 else json.dumps({"id": f"evt-{number}", "text": f"text {number}"}).encode()
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "Kafka takes no more"


def kill_again_and_again(
    replica: Replica, settings: KafkaSettings, for_s: float, least_kills: float
) -> tuple[int, Load]:
    """Kill and start it under load, then let it finish; give the number of kills and what was sent."""
    chance = random.Random(20261123)
    kills = 0
    with running(replica), Load(settings) as load:
        ends_s = time.monotonic() + for_s
        while time.monotonic() < ends_s or kills < least_kills:
            time.sleep(chance.uniform(0.3, 2.5))
            replica.kill()
            kills += 1
            replica.start()
        load.__exit__()
        await_committed(settings, load.sent)
        replica.drain()
    return kills, load


@pytest.mark.long
def test_one_replica_killed_again_and_again_loses_and_doubles_nothing(
    kafka: SharedKafka, tmp_path: Path, load_s: float
) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=PARTITIONS)

    kills, load = kill_again_and_again(Replica(settings, tmp_path, "only"), settings, load_s, KILLS_PER_S * load_s)

    records = assert_each_event_came_out_once(settings, load.sent)
    print(f"one replica: {kills} kills, {load.events} events in, {len(records)} out, each once")


@pytest.mark.long
def test_at_least_once_kills_lose_nothing_and_what_is_doubled_has_the_same_id(
    kafka: SharedKafka, tmp_path: Path, load_s: float
) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=PARTITIONS)
    replica = Replica(settings, tmp_path, "only", MODERATOR_KAFKA__DELIVERY="at_least_once")

    kills, load = kill_again_and_again(replica, settings, load_s, AT_LEAST_ONCE_KILLS_PER_S * load_s)

    records = read_committed(settings)
    ids = {(place_of(record, settings), dict(record.headers).get("ce_id")) for record in records}
    assert {place for place, _ in ids} == {
        (number, offset) for number, count in enumerate(load.sent) for offset in range(count)
    }
    assert len(ids) == load.events
    print(f"at least once: {kills} kills, {load.events} events in, {len(records)} out, none lost")


def test_three_replicas_killed_stopped_and_started_lose_and_double_nothing(
    kafka: SharedKafka, tmp_path: Path, load_s: float
) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=PARTITIONS)
    chance = random.Random(20261124)
    replicas = [Replica(settings, tmp_path, name) for name in ("a", None, None)]  # with and without an instance id
    kills = drains = 0

    with running(*replicas), Load(settings) as load:
        ends_s = time.monotonic() + load_s
        while time.monotonic() < ends_s or kills < THREE_REPLICAS_KILLS_PER_S * load_s:
            time.sleep(chance.uniform(0.2, 2.0))
            victim = chance.choice(replicas)
            if chance.random() < 0.7:
                victim.kill()
                kills += 1
            else:
                victim.drain()
                drains += 1
            time.sleep(chance.uniform(0.0, 1.0))
            victim.start()
        load.__exit__()
        await_committed(settings, load.sent)
        for replica in replicas:
            replica.drain()

    records = assert_each_event_came_out_once(settings, load.sent)
    print(f"three replicas: {kills} kills, {drains} drains, {load.events} events in, {len(records)} out, each once")


@pytest.mark.long  # a time, which other tests at the same time lengthen
def test_after_a_kill_the_partitions_are_moderated_again_visibly_within_15_seconds(
    kafka: SharedKafka, tmp_path: Path
) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=PARTITIONS)
    survivor, victim = (Replica(settings, tmp_path, None) for _ in range(2))

    with running(survivor, victim), closing(Reader(settings)) as reader, Load(settings) as load:
        await_condition(lambda: reader.is_beyond([20] * PARTITIONS))
        victim.kill()
        sent_before = list(load.sent)
        killed_s = time.monotonic()
        await_condition(lambda: reader.is_beyond(sent_before))
        took_s = time.monotonic() - killed_s
        load.__exit__()
        await_committed(settings, load.sent)

    print(f"moderated again after {took_s:.1f} s")
    assert took_s <= BACK_WITHIN_S
    assert_each_event_came_out_once(settings, load.sent)


class Reader:
    """Reads the outputs as they become visible, and nothing twice: on a busy machine that would take its own time."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._newest = [-1] * PARTITIONS
        self._consumer = KafkaConsumer(
            bootstrap_servers=settings.bootstrap_servers, isolation_level="read_committed", enable_auto_commit=False
        )
        outputs = [TopicPartition(topic, n) for topic in output_topics(settings) for n in range(PARTITIONS)]
        self._consumer.assign(outputs)
        self._consumer.seek_to_beginning(*outputs)

    def is_beyond(self, offsets: list[int]) -> bool:
        """Whether what came of an event at each partition's offset, or of a later one, is visible by now."""
        for polled in self._consumer.poll(0).values():
            for number, offset in (place_of(record, self._settings) for record in polled):
                self._newest[number] = max(self._newest[number], offset)
        return all(map(ge, self._newest, offsets))

    def close(self) -> None:
        self._consumer.close()


def test_a_first_sigterm_drains_and_a_second_ends_it_at_once(kafka: SharedKafka, tmp_path: Path) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=PARTITIONS)
    replica = Replica(settings, tmp_path, "only", scoring_s=10 * PATIENCE_S)

    with running(replica), Load(settings):
        assert replica.child
        await_condition(lambda: SCORING_BEGAN in replica.log.read_text())
        replica.child.signal(signal.SIGTERM)
        await_condition(lambda: "draining" in replica.log.read_text())
        assert replica.child.wait(1) is None
        replica.child.signal(signal.SIGTERM)
        code = replica.child.wait(PATIENCE_S)

    assert code == 128 + signal.SIGTERM
