import time
from contextlib import closing
import pytest
from tests.faults.brokers.test_eo_probe2 import *  # noqa: F403
from tests.faults.brokers.test_eo_probe2 import Proxied, kill_when, failures
for name in [n for n in dir() if n.startswith("test_")]:
    del globals()[name]
pytestmark = [pytest.mark.usefixtures("kafka_tools"), pytest.mark.long, pytest.mark.xdist_group("two brokers")]

@pytest.mark.usefixtures("positions_on_second")
def test_e4_as_a_replay(settings, second, proxy):
    """The group of a run refuses nobody, hence asks what was committed; no process dies."""
    with closing(a_loop(settings)) as loop:
        loop.sink._group.refuses_others = False
        fault = proxy.inject(Fault(Api.TXN_OFFSET_COMMIT, "response", "drop", times=1000))
        thread = kill_when(fault, second)
        loop.run_until(lambda: has_failed(loop))
        thread.join()
        proxy.heal()
        time.sleep(18)
        give_back(settings, second, POSITIONS.topic)
        until = time.monotonic() + 30
        while time.monotonic() < until and committed_offsets(settings, 1) != [EACH]:
            loop.step()
        for _ in range(20):
            loop.step()
        print("E4r failures", failures(loop), "doubts", [(s.labels, s.value) for m in loop.metrics.doubts_settled.collect() for s in m.samples if s.value])
    print("E4r committed", committed_offsets(settings, 1), "out", len(read_committed(settings)))
