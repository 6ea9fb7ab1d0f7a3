"""A log that lost its tail, as a power cut leaves it: nothing is decided twice, and nothing new is missed."""

import struct
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
from structlog.testing import capture_logs

from moderator.demo.servers.kafka import LocalKafka
from moderator.errors import LostEventsError
from moderator.settings import KafkaSettings
from tests.faults.loop import a_loop, running
from tests.faults.oracle import place_of
from tests.kafka_stream import asking_for_offsets, await_committed, committed_offsets, read_committed, some_topics
from tests.waiting import await_condition

EACH = 100
KEPT = 40
"""How many events of each partition outlive the cut."""
NOT_WRITTEN_ON, WRITTEN_ON, SET_BY_A_TOOL = range(3)
BATCH_HEAD = struct.Struct(">qi")
BATCH_HEAD_BYTES = 12


def fill(settings: KafkaSettings, partitions: Sequence[int], events: int) -> None:
    """Write batches of ten, so that a log can be cut between them."""
    with closing(KafkaProducer(bootstrap_servers=settings.bootstrap_servers, linger_ms=5)) as producer:
        for number in range(events):
            for partition in partitions:
                producer.send(settings.events_topic, b"{}", partition=partition)
            if number % 10 == 9:
                producer.flush()


def decide_all(settings: KafkaSettings, events: int) -> None:
    with closing(a_loop(settings)) as loop:
        loop.run_until(lambda: loop.committed == events)


def cut(broker: LocalKafka, topic: str, partitions: int) -> None:
    for number in range(partitions):
        folder = broker.folder / "logs" / f"{topic}-{number}"
        _cut_segment(folder / f"{0:020}.log")
        for name in ("*.index", "*.timeindex", "*.txnindex", "*.snapshot"):
            for derived in folder.glob(name):
                derived.unlink()


def _cut_segment(segment: Path) -> None:
    data, at = segment.read_bytes(), 0
    while True:
        offset, length = BATCH_HEAD.unpack_from(data, at)
        if offset >= KEPT:
            break
        at += BATCH_HEAD_BYTES + length
    segment.write_bytes(data[:at])


def truncations(logs: Sequence[Any]) -> list[tuple[int, int, int, int | None]]:
    keys = ("partition", "position", "now", "epoch")
    return sorted(tuple(line[key] for key in keys) for line in logs if line["event"] == "log_truncated")


def places(settings: KafkaSettings, number: int) -> list[int]:
    found = (place_of(record, settings) for record in read_committed(settings))
    return sorted(offset for partition, offset in found if partition == number)


def test_reading_goes_on_where_the_logs_part_while_down_and_while_up() -> None:
    with LocalKafka() as broker:
        down, up = (some_topics(broker.bootstrap_servers, partitions=count) for count in (3, 1))
        fill(down, range(3), EACH)
        fill(up, [0], EACH)
        decide_all(down, 3 * EACH)
        decide_all(up, EACH)
        with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)) as admin:
            position = OffsetAndMetadata(EACH, "", -1)
            admin.alter_group_offsets(down.group_id, {TopicPartition(down.events_topic, SET_BY_A_TOOL): position})

        with capture_logs() as logs, closing(a_loop(up)) as loop_up, running(loop_up):
            await_condition(lambda: any(line["event"] == "partitions_assigned" for line in logs))
            broker.kill()
            cut(broker, down.events_topic, 3)
            cut(broker, up.events_topic, 1)
            broker.start()
            await_condition(lambda: bool(truncations(logs)))
            fill(up, [0], 20)
            await_committed(up, [KEPT + 20])
        while_up = truncations(logs)
        fill(down, [WRITTEN_ON], 80)
        stopping = down.model_copy(update={"on_lost_events": "stop"})
        with closing(a_loop(stopping)) as loop, pytest.raises(LostEventsError) as raised:
            loop.run_until(lambda: False)
        after_stop = committed_offsets(down)
        with capture_logs() as logs, closing(a_loop(down)) as loop, asking_for_offsets(down) as offsets:
            loop.run_until(lambda: offsets() == [KEPT, KEPT + 80, KEPT])

        assert str(raised.value).count(f"position is {EACH}, but the log was cut at {KEPT}") == 3
        assert after_stop == [EACH] * 3
        assert [found[:3] for found in while_up] == [(0, EACH, KEPT)]
        assert places(up, 0) == sorted([*range(EACH), *range(KEPT, KEPT + 20)])
        epoch = truncations(logs)[0][3]
        assert epoch is not None
        assert truncations(logs) == [
            (NOT_WRITTEN_ON, EACH, KEPT, epoch),
            (WRITTEN_ON, EACH, KEPT, epoch),
            (SET_BY_A_TOOL, EACH, KEPT, None),
        ]
        assert places(down, NOT_WRITTEN_ON) == places(down, SET_BY_A_TOOL) == [*range(EACH)]
        assert places(down, WRITTEN_ON) == sorted([*range(EACH), *range(KEPT, KEPT + 80)])
        assert [loop.metrics.log_truncated.labels(str(number))._value.get() for number in range(3)] == [1, 1, 1]
