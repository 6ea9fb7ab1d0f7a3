"""Probes."""
import time
from contextlib import closing
from functools import partial

import pytest
from kafka.errors import KafkaError

from tests.faults.brokers.test_left_out_ends import *  # noqa: F403
from tests.faults.brokers.test_left_out_ends import a_loop, at_its_next_commit, give_back, has_failed, take_away, EACH
from tests.faults.oracle import assert_each_event_came_out_once
from tests.kafka_stream import a_decision, produce, read_committed
from tests.faults.oracle import place_of

for name in [n for n in dir() if n.startswith("test_")]:
    del globals()[name]

pytestmark = [pytest.mark.usefixtures("kafka_tools"), pytest.mark.long, pytest.mark.xdist_group("two brokers")]


def allow_only(record):
    return a_decision(record._replace(offset=record.offset)) if record.offset % 2 == 0 else a_decision(record)


def test_e1_fresh_process_after_a_later_producer_started(settings, second, monkeypatch):
    """K fails with records in flag, flag leaderless; later producer inits (Empty); process dies; next process."""
    with closing(a_loop(settings)) as loop:
        at_its_next_commit(
            loop, monkeypatch, partial(take_away, settings, second, settings.flag_topic), is_made=False, fails=True
        )
        loop.run_until(lambda: has_failed(loop, "LeaderNotAvailableError"))
    give_back(settings, second, settings.flag_topic)
    with closing(a_loop(settings)) as loop:
        loop.run_until(lambda: loop.committed == EACH)
    assert_each_event_came_out_once(settings, [EACH])


def test_e3_abort_of_untouched(settings, second, monkeypatch, idle_s=0.0):
    """N committed, left out in flag; flag back; N+1 writes allow only, and the process dies in it."""
    with closing(a_loop(settings)) as loop:
        def away_and_back():
            take_away(settings, second, settings.flag_topic)
        at_its_next_commit(loop, monkeypatch, away_and_back, fails=False)
        loop.run_until(lambda: loop.committed == EACH)
        give_back(settings, second, settings.flag_topic)
        # the stream is quiet meanwhile: polls go on
        until = time.monotonic() + 5
        while time.monotonic() < until:
            loop.step()
        # 1 event at offset 20 -> allow only
        produce(settings, [b"{}"], partitions=1)
        died = []
        def die():
            died.append(1)
            raise SystemExit
        at_its_next_commit(loop, monkeypatch, die, fails=False)
        failures = lambda: [s.labels for m in loop.metrics.publish_failures.collect() for s in m.samples if s.value]
        try:
            loop.run_until(lambda: loop.committed > EACH)
        except SystemExit:
            pass
        print("DIED", died, "failures", failures())
    with closing(a_loop(settings)) as loop:
        loop.run_until(lambda: loop.committed == 1)
    places = [place_of(r, settings) for r in read_committed(settings)]
    print(len(places), "out; missing", sorted({(0, n) for n in range(EACH + 1)} - set(places)))
    assert len(set(places)) == EACH + 1
    assert len(places) == EACH + 1


def test_e5_abort_in_process(settings, second, monkeypatch):
    """N committed, left out in flag; flag back before the next window; K reaches flag and fails before its commit."""
    with closing(a_loop(settings)) as loop:
        at_its_next_commit(loop, monkeypatch, partial(take_away, settings, second, settings.flag_topic), fails=False)
        loop.run_until(lambda: loop.committed == EACH)
        give_back(settings, second, settings.flag_topic)
        produce(settings, [b"{}"] * EACH, partitions=1)
        at_its_next_commit(loop, monkeypatch, is_made=False, fails=True)
        loop.run_until(lambda: loop.committed == 2 * EACH)
    places = [place_of(r, settings) for r in read_committed(settings)]
    print("E5", len(places), "out; missing", sorted({(0, n) for n in range(2 * EACH)} - set(places)))
    assert_each_event_came_out_once(settings, [2 * EACH])
