import time
from contextlib import closing
from functools import partial
import pytest
from tests.faults.brokers.test_left_out_ends import *  # noqa: F403
from tests.faults.brokers.test_left_out_ends import a_loop, at_its_next_commit, give_back, take_away, EACH, POSITIONS
from tests.kafka_stream import produce
for name in [n for n in dir() if n.startswith("test_")]:
    del globals()[name]
pytestmark = [pytest.mark.usefixtures("kafka_tools"), pytest.mark.long, pytest.mark.xdist_group("two brokers")]

@pytest.mark.usefixtures("positions_on_second")
def test_e6_hidden_by_our_own_running_producer(settings, second, monkeypatch):
    with closing(a_loop(settings)) as loop:
        at_its_next_commit(loop, monkeypatch, partial(take_away, settings, second, POSITIONS.topic), fails=False)
        loop.run_until(lambda: loop.committed == EACH)
        give_back(settings, second, POSITIONS.topic)
        loop.source._membership.rejoin()
        produce(settings, [b"{}"] * EACH, partitions=1)
        t = time.monotonic()
        while time.monotonic() - t < 45 and loop.committed < 2 * EACH:
            loop.step()
        print("E6 after %.0f s" % (time.monotonic() - t), loop.committed, "troubles", loop.source.troubles)
        assert loop.committed == 2 * EACH
