"""The caches on a real Redis, and through its outages."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import structlog
from prometheus_client import CollectorRegistry
from redis import Redis

from moderator.cache import RedisScoreCache, RedisVerdictCache, verdict_key
from moderator.cache.backoff import MAX_BACKOFF_S
from moderator.cache.link import PIECE_KEYS
from moderator.demo.servers.redis import LocalRedis
from moderator.errors import ConfigurationError
from moderator.events import EncodedDecision, Scores
from moderator.observability.metrics import Metrics
from moderator.settings import RedisSettings
from moderator.testing import ManualClock
from tests.builders import an_encoded_decision
from tests.faults.caches import PATIENT_MS, ask

SCORES = Scores((0.25, -1.5), (0.5, 0.125), truncated=False)
DEADLINE_MS = 2_000
"""Of a server that is frozen: who waits for it waits so long."""


class Outage:
    """A score cache on a server of its own, with a clock by hand: only the clock ends a rest."""

    def __init__(self, url: str, deadline_ms: int = PATIENT_MS) -> None:
        self.clock = ManualClock()
        self.metrics = Metrics(CollectorRegistry())
        settings = RedisSettings(url=url, deadline_ms=deadline_ms)
        self.cache = RedisScoreCache(settings, 2, self.metrics, self.clock.monotonic_s)

    def count(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"moderator_cache_{name}", labels)

    def look_up(self) -> list[Scores | None]:
        return self.cache.get_many(["key"])


@pytest.fixture
def own_redis() -> Iterator[LocalRedis]:
    """A server that the test may stop and freeze."""
    with LocalRedis() as server:
        yield server


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as entries:
        yield cast("list[Any]", entries)


def _settings(server: LocalRedis, **changes: int) -> RedisSettings:
    return RedisSettings(url=server.url, deadline_ms=PATIENT_MS, **changes)


def _raw(server: LocalRedis) -> Redis:
    return Redis.from_url(server.url)


def _decision(event_id: str, tenant: str | None = "acme", **changes: Any) -> EncodedDecision:
    fields = {"verdict": "flag", "severity": "high", "reasons": ["unsafe_content"], "value": b'{"text": "I hate you"}'}
    return an_encoded_decision(event_id=event_id, tenant=tenant, **(fields | changes))


def test_a_verdict_can_be_asked_for_by_tenant_and_id_until_it_expires(redis_server: LocalRedis) -> None:
    cache = RedisVerdictCache(_settings(redis_server, verdict_ttl_s=60), Metrics(CollectorRegistry()), time.monotonic)

    cache.put_many([_decision("e:1", severity=None), _decision("e:1"), _decision("e:2", tenant=None)])

    redis = _raw(redis_server)
    assert json.loads(cast("bytes", redis.get("moderator:verdict:acme:e%3A1"))) == {
        "verdict": "flag",
        "status": "scored",
        "severity": "high",
        "reasons": ["unsafe_content"],
        "decision_id": "mod_6f1c",
        "snapshot": "sha256:4c91",
    }
    assert 0 < redis.ttl(verdict_key(None, "e:2")) <= 60


def test_scores_expire(redis_server: LocalRedis) -> None:
    cache = RedisScoreCache(_settings(redis_server, score_ttl_s=30), 2, Metrics(CollectorRegistry()), time.monotonic)

    cache.put_many({"expires": SCORES})

    assert 0 < _raw(redis_server).ttl("moderator:score:expires") <= 30


def test_wrong_types_and_damaged_values_are_misses_and_counted(redis_server: LocalRedis) -> None:
    metrics = Metrics(CollectorRegistry())
    cache = RedisScoreCache(_settings(redis_server), 2, metrics, time.monotonic)
    redis = _raw(redis_server)
    redis.lpush("moderator:score:list", "x")
    redis.set("moderator:score:text", "not scores")
    cache.put_many({"good": SCORES})

    found = cache.get_many(["list", "text", "good"])

    assert found == [None, None, SCORES]
    assert metrics.registry.get_sample_value("moderator_cache_lookups_total", {"outcome": "damaged"}) == 1
    assert metrics.registry.get_sample_value("moderator_cache_lookups_total", {"outcome": "miss"}) == 1


def test_two_replicas_share_scores(redis_server: LocalRedis) -> None:
    first, second = (
        RedisScoreCache(_settings(redis_server), 2, Metrics(CollectorRegistry()), time.monotonic) for _ in range(2)
    )

    first.put_many({"shared": SCORES})

    assert second.get_many(["shared"]) == [SCORES]


def test_evicted_scores_are_misses(own_redis: LocalRedis) -> None:
    redis = _raw(own_redis)
    used_bytes = cast("dict[str, int]", redis.info("memory"))["used_memory"]
    redis.config_set("maxmemory", used_bytes + 256 * 1024)
    redis.config_set("maxmemory-policy", "allkeys-lru")
    metrics = Metrics(CollectorRegistry())
    cache = RedisScoreCache(_settings(own_redis), 2, metrics, time.monotonic)
    keys = [f"{number:064}" for number in range(5_000)]

    cache.put_many(dict.fromkeys(keys, SCORES))

    found = cache.get_many(keys)
    assert set(found) == {SCORES, None}
    assert metrics.registry.get_sample_value("moderator_cache_outages_total", {"cache": "score"}) == 0


def test_a_full_redis_that_evicts_nothing_is_still_read_and_noted_once(own_redis: LocalRedis, logs: list[Any]) -> None:
    outage = Outage(own_redis.url)
    outage.cache.put_many({"key": SCORES})
    _raw(own_redis).config_set("maxmemory", 1)

    for _ in range(3):
        outage.cache.put_many({"another": SCORES})
        assert outage.look_up() == [SCORES]
        outage.clock.advance(MAX_BACKOFF_S)
    _raw(own_redis).config_set("maxmemory", 0)
    outage.cache.put_many({"another": SCORES})

    assert outage.count("unwritten_total", cache="score") == 3
    assert [(entry["event"], entry.get("error")) for entry in logs] == [
        ("cache_refuses_writes", "OOM"),
        ("cache_takes_writes", None),
    ]


def test_redis_down_at_start_costs_one_call_and_is_found_when_it_comes(own_redis: LocalRedis, logs: list[Any]) -> None:
    own_redis.stop()
    outage = Outage(own_redis.url)

    assert outage.look_up() == [None]
    assert outage.look_up() == [None]
    own_redis.start()
    outage.clock.advance(MAX_BACKOFF_S)
    outage.cache.put_many({"key": SCORES})

    assert outage.look_up() == [SCORES]
    assert outage.count("outages_total", cache="score") == 1
    assert outage.count("lookups_total", outcome="away") == 2
    assert [entry["event"] for entry in logs] == ["cache_away", "cache_back"]
    assert logs[1]["away_s"] == MAX_BACKOFF_S


def test_redis_dying_in_use_is_a_miss_and_it_is_used_again_after_its_return(own_redis: LocalRedis) -> None:
    outage = Outage(own_redis.url)
    outage.cache.put_many({"key": SCORES})
    own_redis.kill()

    assert outage.look_up() == [None]
    assert outage.count("up", cache="score") == 0
    own_redis.start()
    outage.clock.advance(MAX_BACKOFF_S)
    outage.cache.put_many({"key": SCORES})

    assert outage.look_up() == [SCORES]
    assert outage.count("up", cache="score") == 1


def test_a_frozen_redis_costs_a_deadline_once_and_nothing_while_it_rests(own_redis: LocalRedis) -> None:
    outage = Outage(own_redis.url, DEADLINE_MS)
    outage.cache.put_many({"key": SCORES})
    own_redis.pause()

    started_s = time.monotonic()
    found = outage.look_up()
    took_s = time.monotonic() - started_s
    again = outage.look_up()
    own_redis.resume()
    outage.clock.advance(MAX_BACKOFF_S)
    after = outage.look_up()

    assert (found, again, after) == ([None], [None], [SCORES])
    assert took_s >= DEADLINE_MS / 1_000
    assert outage.count("outages_total", cache="score") == 1
    assert ask(own_redis, "INFO", "commandstats")["cmdstat_get"]["calls"] == 2  # the first look and the last


def test_an_answer_that_comes_too_late_is_never_taken_for_another_key_s(own_redis: LocalRedis) -> None:
    outage = Outage(own_redis.url, DEADLINE_MS)
    other = Scores((9.0, 9.0), (1.0, 1.0), truncated=True)
    outage.cache.put_many({"key": SCORES, "other": other})
    own_redis.pause()
    outage.look_up()
    own_redis.resume()
    outage.clock.advance(MAX_BACKOFF_S)

    found = outage.cache.get_many(["other"])

    assert found == [other]


def test_rests_grow_to_five_seconds_and_no_further(own_redis: LocalRedis) -> None:
    own_redis.stop()
    outage = Outage(own_redis.url)

    for _ in range(600):
        outage.look_up()
        outage.clock.advance(0.1)

    failures = outage.count("outages_total", cache="score")
    assert failures is not None
    assert 60 / MAX_BACKOFF_S <= failures <= 60 / MAX_BACKOFF_S + 6


def test_what_was_not_looked_up_before_the_deadline_is_late(own_redis: LocalRedis) -> None:
    metrics = Metrics(CollectorRegistry())
    cache = RedisScoreCache(RedisSettings(url=own_redis.url, deadline_ms=2_000), 2, metrics, _a_second_a_look())

    found = cache.get_many([f"{number}" for number in range(5_000)])

    assert len(found) == 5_000
    assert (metrics.registry.get_sample_value("moderator_cache_lookups_total", {"outcome": "late"}) or 0) > 0
    assert metrics.registry.get_sample_value("moderator_cache_outages_total", {"cache": "score"}) == 0


def test_what_was_not_written_within_five_deadlines_is_not_kept(own_redis: LocalRedis) -> None:
    metrics = Metrics(CollectorRegistry())
    cache = RedisScoreCache(RedisSettings(url=own_redis.url, deadline_ms=2_000), 2, metrics, _a_second_a_look())

    cache.put_many({f"{number}": SCORES for number in range(5_000)})

    unwritten = metrics.registry.get_sample_value("moderator_cache_unwritten_total", {"cache": "score"})
    assert unwritten == 5_000 - 9 * PIECE_KEYS  # the clock is looked at once a piece; the tenth would begin too late
    assert _raw(own_redis).dbsize() == 9 * PIECE_KEYS
    assert metrics.registry.get_sample_value("moderator_cache_outages_total", {"cache": "score"}) == 0


def _a_second_a_look() -> Callable[[], float]:
    clock = ManualClock()

    def look() -> float:
        clock.advance(1.0)
        return clock.monotonic_s()

    return look


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$x\r\n", b"*1\r\n$99999999999\r\n", b"\xff" * 99, b""],
    ids=["http", "no length", "endless", "noise", "hangs up"],
)
def test_a_server_that_does_not_speak_redis_is_an_outage(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer, args=(listener, answer), daemon=True).start()
        outage = Outage(f"redis://127.0.0.1:{listener.getsockname()[1]}/0", DEADLINE_MS)

        assert outage.look_up() == [None]
        assert outage.count("outages_total", cache="score") == 1


def test_a_call_that_failed_is_not_made_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer, args=(listener, b""), daemon=True).start()
        outage = Outage(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")

        outage.look_up()

        listener.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has connected a second time
            listener.accept()


def _answer(listener: socket.socket, answer: bytes) -> None:
    with contextlib.suppress(OSError):
        connection, _ = listener.accept()
        with connection:
            while connection.recv(65_536):
                connection.sendall(answer)
                if not answer:
                    return


def test_a_wrong_password_is_an_outage_that_does_not_show_it(own_redis: LocalRedis, logs: list[Any]) -> None:
    _raw(own_redis).config_set("requirepass", "right")
    outage = Outage(own_redis.url.replace("redis://", "redis://:hunter2@"))

    assert outage.look_up() == [None]
    assert logs[0]["error"] == "WRONGPASS"
    assert "hunter2" not in str(logs)


@pytest.mark.parametrize(("password", "code"), [("", "NOAUTH"), (":hunter2@", "WRONGPASS")])
def test_a_password_that_is_taken_again_ends_the_outage_whichever_call_finds_it(
    password: str, code: str, own_redis: LocalRedis, logs: list[Any]
) -> None:
    _raw(own_redis).config_set("requirepass", "right")
    outage = Outage(own_redis.url.replace("redis://", f"redis://{password}"))

    outage.cache.put_many({"key": SCORES})
    with Redis.from_url(own_redis.url.replace("redis://", "redis://:right@")) as client:
        client.config_set("requirepass", password.strip(":@"))
    outage.clock.advance(MAX_BACKOFF_S)

    assert outage.look_up() == [None]
    assert outage.count("up", cache="score") == 1
    assert [(entry["event"], entry.get("error")) for entry in logs] == [("cache_away", code), ("cache_back", None)]


@pytest.mark.parametrize(
    "url",
    [
        "redis://host:hunter2/0",
        "redis://host:1/0?hunter2=1",
        "redis://:1#hunter2@host:1/0",
        "redis://host:1/0#hunter2",
        "redis://:1/hunter2@host:1/0",
        "redis://host:1/hunter2",
        "redis://host:1/0/hunter2",
        "redis://host:1/0?db=hunter2",
        "redis://host:1/0?socket_timeout=9",
        "redis://host:1/0?retry=5",
        "redis://host:1/0?protocol=9",
        "redis://host:1/0?decode_responses=1",
        "rediss://host:1/0?ssl_cert_reqs=hunter2",
    ],
)
def test_an_address_that_cannot_be_used_stops_start_up_and_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="MODERATOR_REDIS__URL") as caught:
        Outage(url)

    assert "hunter2" not in str(caught.value)


def test_an_address_may_carry_options_that_leave_the_deadline_alone(own_redis: LocalRedis) -> None:
    outage = Outage(f"{own_redis.url}?db=1&health_check_interval=30&client_name=moderator")

    outage.cache.put_many({"key": SCORES})

    assert outage.look_up() == [SCORES]
