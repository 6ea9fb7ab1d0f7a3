"""Both caches on one Redis, with a clock by hand: only the clock ends a back-off."""

from typing import Any

from prometheus_client import CollectorRegistry
from redis import Redis

from moderator.cache import RedisScoreCache, RedisVerdictCache, verdict_key
from moderator.cache.backoff import MAX_BACKOFF_S
from moderator.demo.servers.redis import LocalRedis
from moderator.events import Scores
from moderator.observability.metrics import Metrics
from moderator.settings import RedisSettings
from moderator.testing import ManualClock
from tests.builders import an_encoded_decision

SCORES = Scores((0.25, -1.5), (0.5, 0.125), truncated=False)
PATIENT_MS = 10_000
"""A deadline that a busy machine keeps; only who freezes a server waits for one, and gives another."""


class Caches:
    """Writes and reads a score and a verdict, and tells what operators see."""

    def __init__(self, url: str, deadline_ms: int = PATIENT_MS) -> None:
        self.metrics = Metrics(CollectorRegistry())
        self.clock = ManualClock()
        settings = RedisSettings(url=url, deadline_ms=deadline_ms)
        self.scores = RedisScoreCache(settings, 2, self.metrics, self.clock.monotonic_s)
        self.verdicts = RedisVerdictCache(settings, self.metrics, self.clock.monotonic_s)

    @property
    def up(self) -> tuple[float | None, float | None]:
        """`moderator_cache_up` of scores and verdicts."""
        return self.count("up", cache="score"), self.count("up", cache="verdict")

    def count(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"moderator_cache_{name}", labels)

    def write(self, name: str = "key") -> None:
        self.scores.put_many({name: SCORES})
        self.verdicts.put_many([an_encoded_decision(event_id=name)])

    def read(self, name: str = "key") -> Scores | None:
        return self.scores.get_many([name])[0]

    def wait(self) -> None:
        """Let every back-off end."""
        self.clock.advance(MAX_BACKOFF_S)


def raw(server: LocalRedis) -> Any:
    """A client, whose types are incomplete."""
    return Redis.from_url(server.url)


def ask(server: LocalRedis, *words: str | int) -> Any:
    """Make one call."""
    with raw(server) as client:
        return client.execute_command(*words)


def is_kept(server: LocalRedis, name: str = "key") -> bool:
    with raw(server) as client:
        count: int = client.exists(f"moderator:score:{name}", verdict_key("acme", name))
    return count == 2


def events(logs: list[Any]) -> list[tuple[str, str, str | None]]:
    return [(entry["event"], entry["cache"], entry.get("error")) for entry in logs]
