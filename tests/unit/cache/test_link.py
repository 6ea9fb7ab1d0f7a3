"""How often an absent Redis is called: a port on loopback where no test listens stands for it."""

from itertools import pairwise

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from moderator.cache.link import RedisLink
from moderator.observability.metrics import Metrics
from moderator.settings import RedisSettings
from moderator.testing import ManualClock

STEP_MS = 50


class AbsentRedis:
    """Counts the calls that reach the client; time passes in steps."""

    def __init__(self) -> None:
        self.clock = ManualClock(0.0)
        self._metrics = Metrics(CollectorRegistry())
        settings = RedisSettings(url=SecretStr("redis://127.0.0.1:9"))
        self.link = RedisLink(settings, "score", self._metrics, self.clock.monotonic_s)

    @property
    def outages(self) -> int:
        return int(self._metrics.cache_outages.labels("score")._value.get())

    @property
    def unwritten(self) -> int:
        return int(self._metrics.cache_unwritten.labels("score")._value.get())

    def called_at_ms(self, until_ms: int) -> list[int]:
        """Ask at every step; give the times at which Redis was called."""
        called: list[int] = []
        for now_ms in range(0, until_ms, STEP_MS):
            assert self.link.get(["key"]) == []
            if self.outages > len(called):
                called.append(now_ms)
            self.clock.advance(STEP_MS / 1_000 + 1e-9)
        return called


def test_the_time_between_calls_doubles_up_to_five_seconds() -> None:
    called_ms = AbsentRedis().called_at_ms(25_000)

    assert [after - before for before, after in pairwise(called_ms)] == [
        100,
        200,
        400,
        800,
        1_600,
        3_200,
        5_000,
        5_000,
        5_000,
    ]


def test_while_backing_off_a_write_calls_nobody_and_is_counted_as_unwritten() -> None:
    redis = AbsentRedis()
    redis.link.get(["key"])

    redis.link.set([(b"one", b"1"), (b"other", b"2")])

    assert (redis.outages, redis.unwritten) == (1, 2)
