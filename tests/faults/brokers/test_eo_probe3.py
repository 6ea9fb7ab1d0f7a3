"""E1b: positions and flags aborted without an end; a later producer starts while only the flags have no leader; it dies."""
import time
from contextlib import closing
from functools import partial

import pytest
from kafka.errors import KafkaError

from tests.faults.brokers.test_left_out_ends import *  # noqa: F403
from tests.faults.brokers.test_left_out_ends import a_loop, at_its_next_commit, give_back, has_failed, take_away, EACH, POSITIONS, NODE_ID, leader_of, move_positions
from tests.faults.oracle import place_of
from tests.kafka_stream import committed_offsets, read_committed

for name in [n for n in dir() if n.startswith("test_")]:
    del globals()[name]

pytestmark = [pytest.mark.usefixtures("kafka_tools"), pytest.mark.long, pytest.mark.xdist_group("two brokers")]


@pytest.mark.usefixtures("positions_on_second")
def test_e1b(settings, second, monkeypatch):
    with closing(a_loop(settings)) as loop:
        away = partial(take_away, settings, second, POSITIONS.topic)
        at_its_next_commit(loop, monkeypatch, away, partial(time.sleep, 18), is_made=False, fails=True)
        loop.run_until(lambda: has_failed(loop))  # meanwhile the coordinator has aborted it
        give_back(settings, second, POSITIONS.topic)
        time.sleep(1)
        move_positions(settings, 1)
        take_away(settings, second, settings.flag_topic)
        until = time.monotonic() + 60
        while not has_failed(loop, "LeaderNotAvailableError"):
            assert time.monotonic() < until
            loop.step()
        print("step", loop.sink._delivery.step, "arrived", loop.sink._delivery._undone)
    give_back(settings, second, settings.flag_topic)
    with closing(a_loop(settings)) as loop:
        until = time.monotonic() + 15
        while time.monotonic() < until and loop.committed < EACH:
            loop.step()
    places = [place_of(r, settings) for r in read_committed(settings)]
    print("E1b", committed_offsets(settings, 1), len(places), "out,", len(set(places)), "different")
    assert len(places) == EACH == len(set(places))
