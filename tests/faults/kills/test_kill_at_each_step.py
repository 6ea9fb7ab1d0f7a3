"""`kill -9` at each step of the commit, before the broker gets it and after it answered: the oracle holds."""

from itertools import product
from pathlib import Path

import pytest

from moderator.settings import KafkaSettings
from tests.faults.conftest import Behind
from tests.faults.kafka_proxy import Api, Fault, Side
from tests.faults.killable import Replica, running
from tests.faults.oracle import assert_each_event_came_out_once
from tests.kafka_stream import await_committed, produce
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.xdist_group("broker behind a proxy")

PER_PARTITION = 20
STEPS = (Api.ADD_PARTITIONS, Api.PRODUCE, Api.ADD_OFFSETS, Api.TXN_OFFSET_COMMIT, Api.END_TXN)
SHORT = {(Api.PRODUCE, "request"), (Api.END_TXN, "response")}
"""Before anything is written, and with an end whose answer nobody got."""


@pytest.mark.parametrize(
    ("step", "side"),
    [
        pytest.param(step, side, marks=() if (step, side) in SHORT else pytest.mark.long, id=f"{step.name}-{side}")
        for step, side in product(STEPS, ("request", "response"))
    ],
)
def test_a_replica_killed_at_this_step_loses_and_doubles_nothing(
    behind: Behind, tmp_path: Path, step: Api, side: Side
) -> None:
    settings, direct = behind.some_topics()
    replica = Replica(settings, tmp_path, "only")
    fault = Fault(step, side, "drop")

    with running(replica):
        produce_some(direct)
        await_committed(direct, [PER_PARTITION] * 3)
        behind.proxy.inject(fault)
        produce_some(direct)
        assert fault.happened.wait(PATIENCE_S)
        replica.kill()
        replica.start()
        await_committed(direct, [2 * PER_PARTITION] * 3)
        replica.drain()

    assert_each_event_came_out_once(direct, [2 * PER_PARTITION] * 3)
    # it ended the open transaction itself, and did not wait until the broker does, as much as 14 s later
    assert "UnstableOffsetCommit" not in replica.log.read_text()


def produce_some(settings: KafkaSettings) -> None:
    """Give every partition twenty events, two of them malformed."""
    values = (b'{"id": "evt-%d", "text": "text %d"}' % (number, number) for number in range(3 * PER_PARTITION))
    produce(settings, (value if number % 10 else b"not json" for number, value in enumerate(values)))
