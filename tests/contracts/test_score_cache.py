"""What every score cache does, in memory and on a real Redis."""

import time
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry

from moderator.cache import InMemoryScoreCache, RedisScoreCache
from moderator.events import Scores
from moderator.observability.metrics import Metrics
from moderator.pipeline.ports import ScoreCache
from moderator.settings import RedisSettings
from tests.faults.caches import PATIENT_MS

FIRST = Scores((0.25, -1.5), (0.5, 0.125), truncated=False)
SECOND = Scores((2.5, 0.0), (-0.5, 1.0), truncated=True)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture(params=["in memory", "redis"])
def cache(request: pytest.FixtureRequest, metrics: Metrics) -> Iterator[ScoreCache]:
    if request.param == "in memory":
        yield InMemoryScoreCache(metrics)
        return
    settings = RedisSettings(url=request.getfixturevalue("redis_server").url, deadline_ms=PATIENT_MS)
    redis = RedisScoreCache(settings, 2, metrics, time.monotonic)
    yield redis
    redis.close()


@pytest.fixture
def key(request: pytest.FixtureRequest) -> Callable[[int], str]:
    """Keys of this test alone, since all tests share one server."""
    return lambda number: f"{request.node.name}-{number}"


def test_an_unknown_key_is_a_miss(cache: ScoreCache, key: Callable[[int], str]) -> None:
    found = cache.get_many([key(1), key(2)])

    assert found == [None, None]


def test_what_was_put_is_found_exactly_in_the_order_asked(cache: ScoreCache, key: Callable[[int], str]) -> None:
    cache.put_many({key(1): FIRST, key(2): SECOND})

    found = cache.get_many([key(2), key(3), key(1), key(2)])

    assert found == [SECOND, None, FIRST, SECOND]


def test_the_last_scores_put_under_a_key_count(cache: ScoreCache, key: Callable[[int], str]) -> None:
    cache.put_many({key(1): FIRST})
    cache.put_many({key(1): SECOND})

    assert cache.get_many([key(1)]) == [SECOND]


def test_nothing_asked_gives_nothing(cache: ScoreCache) -> None:
    cache.put_many({})

    assert cache.get_many([]) == []


def test_a_whole_window_is_found(cache: ScoreCache, key: Callable[[int], str]) -> None:
    scores = {key(number): Scores((number / 4, 0.0), (1.0, 1.0), truncated=False) for number in range(1_000)}
    cache.put_many(scores)

    assert cache.get_many(list(scores)) == list(scores.values())


def test_every_look_up_is_counted_once(cache: ScoreCache, metrics: Metrics, key: Callable[[int], str]) -> None:
    cache.put_many({key(1): FIRST})

    cache.get_many([key(1), key(2), key(1)])

    assert metrics.registry.get_sample_value("moderator_cache_lookups_total", {"outcome": "hit"}) == 2
    assert metrics.registry.get_sample_value("moderator_cache_lookups_total", {"outcome": "miss"}) == 1
