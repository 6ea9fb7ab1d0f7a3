"""Probes behind a proxy."""
import threading
import time
from contextlib import closing

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError

from tests.faults.brokers.test_left_out_ends import *  # noqa: F403
from tests.faults.brokers.test_left_out_ends import a_loop, give_back, has_failed, take_away, EACH, POSITIONS, NOBODY, leader_of, move_positions
from tests.faults.kafka_proxy import Api, Fault, KafkaProxy
from tests.faults.oracle import place_of
from tests.kafka_stream import committed_offsets, read_committed
from tests.servers.second_broker import SecondBroker
from tests.waiting import await_condition

for name in [n for n in dir() if n.startswith("test_")]:
    del globals()[name]

pytestmark = [pytest.mark.usefixtures("kafka_tools"), pytest.mark.long, pytest.mark.xdist_group("two brokers")]


class Proxied(SecondBroker):
    def __init__(self, first, proxy):
        super().__init__(first)
        self.proxy = proxy
        proxy.upstream_port = self._port

    def _settings(self):
        return super()._settings() | {"advertised.listeners": f"PLAINTEXT://{self.proxy.address}"}


@pytest.fixture(scope="module")
def proxy():
    with KafkaProxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def second(first, proxy):
    with Proxied(first, proxy) as second:
        yield second


def failures(loop):
    return [(s.labels, s.value) for m in loop.metrics.publish_failures.collect() for s in m.samples if s.value]


def kill_when(fault, second):
    def run():
        fault.happened.wait(60)
        time.sleep(0.3)
        second.kill()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_e2_unanswered_record(settings, second, proxy):
    with closing(a_loop(settings)) as loop:
        fault = proxy.inject(Fault(Api.PRODUCE, "response", "drop", times=1000))
        thread = kill_when(fault, second)
        loop.run_until(lambda: has_failed(loop, "LeaderNotAvailableError"))
        thread.join()
        proxy.heal()
        print("failures", failures(loop))
        give_back(settings, second, settings.flag_topic)
        loop.run_until(lambda: loop.committed == EACH)
    places = [place_of(r, settings) for r in read_committed(settings)]
    print("E2", len(places), "out,", len(set(places)), "different")
    assert len(places) == EACH == len(set(places))


@pytest.mark.usefixtures("positions_on_second")
def test_e4_unanswered_positions(settings, second, proxy):
    with closing(a_loop(settings)) as loop:
        fault = proxy.inject(Fault(Api.TXN_OFFSET_COMMIT, "response", "drop", times=1000))
        thread = kill_when(fault, second)
        loop.run_until(lambda: has_failed(loop))
        thread.join()
        proxy.heal()
        print("failures", failures(loop))
        until = time.monotonic() + 20  # the coordinator ends the transaction that took too long
        while time.monotonic() < until:
            time.sleep(0.2)
        give_back(settings, second, POSITIONS.topic)
        until = time.monotonic() + 30
        while True:
            try:
                loop.sink.claim()
                break
            except KafkaError as error:
                print("claim:", loop.sink._delivery.step, repr(error)[:150])
                assert time.monotonic() < until
                time.sleep(0.3)
        print("arrived", loop.sink._delivery._undone)
    # it dies here, before it publishes again
    print("E4 committed now", committed_offsets(settings, 1), "out", len(read_committed(settings)))
    with closing(a_loop(settings)) as loop:
        until = time.monotonic() + 15
        while time.monotonic() < until and loop.committed < EACH:
            loop.step()
    places = [place_of(r, settings) for r in read_committed(settings)]
    print("E4", committed_offsets(settings, 1), len(places), "out,", len(set(places)), "different")
    assert len(places) == EACH == len(set(places))
