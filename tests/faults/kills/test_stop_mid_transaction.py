"""Killed or frozen with a transaction open: the next owner makes up for it, and whoever wakes doubles nothing."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psutil
import pytest

from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import TRANSACTION_TIMEOUT_MS
from tests.faults.loop import a_loop
from tests.faults.oracle import assert_each_event_came_out_once
from tests.kafka_stream import asking_for_offsets, produce, some_topics
from tests.servers.shared import SharedKafka
from tests.waiting import PATIENCE_S, await_condition
from tests.warm.process import ROOT, WarmPopen

PER_PARTITION = 60
ALL = [PER_PARTITION] * 3
STOPPED = 4


@contextmanager
def in_mid_transaction(settings: KafkaSettings) -> Iterator[WarmPopen]:
    """Give a replica that has sent its records and not yet its offsets."""
    command = [sys.executable, "-m", "tests.faults.stopping_replica", json.dumps(settings.model_dump(mode="json"))]
    with WarmPopen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in transaction\n"
        try:
            yield process
        finally:
            process.kill()


def go_on(process: WarmPopen) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.fixture(params=["named", pytest.param("unnamed", marks=pytest.mark.long)])
def settings(request: pytest.FixtureRequest, kafka: SharedKafka) -> KafkaSettings:
    instance_id = "replica-1" if request.param == "named" else None
    settings = some_topics(kafka.bootstrap_servers, instance_id=instance_id)
    produce(settings, (b"%d" % number for number in range(3 * PER_PARTITION)))
    return settings


def test_what_a_killed_replica_left_open_is_made_up_for_once(settings: KafkaSettings) -> None:
    with in_mid_transaction(settings) as process:
        process.kill()
        process.wait()

        with closing(a_loop(settings)) as successor, asking_for_offsets(settings) as offsets:
            successor.run_until(lambda: offsets() == ALL)

    assert_each_event_came_out_once(settings, ALL)


@pytest.mark.parametrize(
    "frozen_s",
    [
        pytest.param(0, id="shortly"),
        pytest.param(TRANSACTION_TIMEOUT_MS / 1_000, id="past the transaction", marks=pytest.mark.long),
    ],
)
def test_a_replica_that_was_frozen_doubles_nothing_when_it_wakes(settings: KafkaSettings, frozen_s: float) -> None:
    with (
        in_mid_transaction(settings) as process,
        closing(a_loop(settings)) as successor,
        asking_for_offsets(settings) as offsets,
    ):
        process.send_signal(signal.SIGSTOP)
        await_condition(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        go_on(process)
        successor.run_until(lambda: offsets() == ALL)

        time.sleep(frozen_s)
        process.send_signal(signal.SIGCONT)
        if settings.instance_id:
            assert process.wait(PATIENCE_S) == STOPPED
        produce(settings, (b"%d" % number for number in range(3 * PER_PARTITION)))
        successor.run_until(lambda: offsets() == [2 * each for each in ALL])

    assert_each_event_came_out_once(settings, [2 * each for each in ALL])
