"""An event that ends the process each time it is scored, on a real broker: it is found, and nothing else is lost."""

import signal
import time
from pathlib import Path

import pytest

from tests.faults.killable import DIES_OF, Replica, running
from tests.faults.oracle import assert_each_event_came_out_once, place_of
from tests.kafka_stream import asking_for_offsets, produce, some_topics
from tests.servers.shared import SharedKafka
from tests.waiting import LOOK_EVERY_S, PATIENCE_S

MOST_ENDS = 5
PARTITIONS = 2


def value(number: int, poisoned: int, cause: signal.Signals) -> bytes:
    text = f"{DIES_OF} {cause.name} {number}" if number == poisoned else f"text {number}"
    return b'{"id": "evt-%d", "text": "%s"}' % (number, text.encode())


@pytest.mark.parametrize(
    ("max_events", "events", "cause", "replicas"),
    [
        (1, 20, signal.SIGKILL, 1),
        pytest.param(50, 400, signal.SIGKILL, 1, marks=pytest.mark.long),
        pytest.param(3_000, 8_000, signal.SIGSEGV, 2, marks=pytest.mark.long),
    ],
    ids=["windows of 1", "windows of 50", "windows of 3,000 and two replicas"],
)
def test_a_poison_ends_the_process_a_few_times_and_is_then_set_aside(  # noqa: PLR0917 - what pytest gives
    kafka: SharedKafka, tmp_path: Path, max_events: int, events: int, cause: signal.Signals, replicas: int
) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=PARTITIONS)
    poisoned = events * 3 // 4
    produce(settings, (value(number, poisoned, cause) for number in range(events)), partitions=PARTITIONS)
    limit = {"MODERATOR_WINDOW__MAX_EVENTS": str(max_events)}
    group = [Replica(settings, tmp_path, f"r{number}", scoring_s=0.0, **limit) for number in range(replicas)]
    wanted = [events // PARTITIONS] * PARTITIONS

    ends = 0
    with running(*group), asking_for_offsets(settings, PARTITIONS) as offsets:
        deadline_s = time.monotonic() + PATIENCE_S
        while offsets() != wanted:
            assert time.monotonic() < deadline_s, group[0].log.read_text()[-3_000:]
            for replica in group:
                assert replica.child
                if replica.child.exit_code is not None:
                    assert replica.child.exit_code == -cause
                    ends += 1
                    replica.start()
            time.sleep(LOOK_EVERY_S)
        for replica in group:
            replica.drain()

    records = assert_each_event_came_out_once(settings, wanted, set_aside=1)
    assert 2 <= ends <= MOST_ENDS
    [letter] = [record for record in records if record.topic == settings.dead_letter_topic]
    assert place_of(letter, settings) == (poisoned % PARTITIONS, poisoned // PARTITIONS)
    logs = "".join(replica.log.read_text() for replica in group)
    assert f'"event_id": "evt-{poisoned}"' in logs
    assert DIES_OF not in logs
