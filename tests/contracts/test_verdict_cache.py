"""What every verdict cache does, in memory and on a real Redis."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from redis import Redis

from moderator.cache import RedisVerdictCache, VerdictReader, verdict_key
from moderator.demo.servers.redis import LocalRedis
from moderator.events import EncodedDecision, Rejection
from moderator.observability.metrics import Metrics
from moderator.pipeline.ports import VerdictCache
from moderator.settings import RedisSettings
from moderator.testing import InMemoryVerdictCache
from tests.builders import an_encoded_decision
from tests.faults.caches import PATIENT_MS

FIELDS = ("verdict", "status", "severity", "reasons", "decision_id", "snapshot")


class Verdicts(NamedTuple):
    """A cache, and what a chat back end finds there by tenant and event id."""

    cache: VerdictCache
    ask: Callable[[str | None, str], dict[str, Any] | None]


@pytest.fixture(params=["in memory", "redis"])
def verdicts(request: pytest.FixtureRequest) -> Verdicts:
    return in_memory() if request.param == "in memory" else on_redis(request.getfixturevalue("redis_server"))


def in_memory() -> Verdicts:
    cache = InMemoryVerdictCache()

    def ask(tenant: str | None, event_id: str) -> dict[str, Any] | None:
        kept = cache.kept.get((tenant or "", event_id))
        return verdict_of(kept) if kept else None

    return Verdicts(cache, ask)


def on_redis(server: LocalRedis) -> Verdicts:
    settings = RedisSettings(url=server.url, deadline_ms=PATIENT_MS)

    def ask(tenant: str | None, event_id: str) -> dict[str, Any] | None:
        with Redis.from_url(server.url) as client:
            value = cast("bytes | None", client.get(verdict_key(tenant, event_id)))
        return json.loads(value) if value else None

    return Verdicts(RedisVerdictCache(settings, Metrics(CollectorRegistry()), time.monotonic), ask)


def verdict_of(outcome: EncodedDecision | Rejection) -> dict[str, Any]:
    if isinstance(outcome, Rejection):
        return {
            "verdict": "dead_letter",
            "reason": outcome.reason,
            "status": None,
            "severity": None,
            "reasons": [],
            "decision_id": None,
            "snapshot": None,
        }
    return {name: getattr(outcome, name) for name in FIELDS}


@pytest.fixture
def tenant() -> str:
    """One of this test alone, since all tests share one server."""
    return f"tenant-{uuid.uuid4().hex}"


def test_an_event_that_was_not_decided_has_no_verdict(verdicts: Verdicts, tenant: str) -> None:
    verdicts.cache.put_many([])

    assert verdicts.ask(tenant, "evt-1") is None


def test_a_verdict_is_found_by_tenant_and_event_id(verdicts: Verdicts, tenant: str) -> None:
    flag = an_encoded_decision(
        tenant=tenant, event_id="e:1", verdict="flag", severity="high", reasons=["unsafe_content"]
    )
    allow = an_encoded_decision(tenant=tenant, event_id="1", decision_id="mod_2")

    verdicts.cache.put_many([flag, allow])

    assert verdicts.ask(tenant, "e:1") == verdict_of(flag)
    assert verdicts.ask(tenant, "1") == verdict_of(allow)
    assert verdicts.ask(f"{tenant}:e", "1") is None


def test_an_event_without_a_tenant_is_found_without_one(verdicts: Verdicts, tenant: str) -> None:
    decision = an_encoded_decision(tenant=None, event_id=tenant)

    verdicts.cache.put_many([decision])

    assert verdicts.ask(None, tenant) == verdicts.ask("", tenant) == verdict_of(decision)


def test_of_one_event_the_last_verdict_counts(verdicts: Verdicts, tenant: str) -> None:
    first, second, third = (
        an_encoded_decision(tenant=tenant, decision_id=f"mod_{number}", verdict=verdict)
        for number, verdict in enumerate(("allow", "flag", "allow"))
    )

    verdicts.cache.put_many([first, second])
    after_two = verdicts.ask(tenant, "evt-1")
    verdicts.cache.put_many([third])

    assert after_two == verdict_of(second)
    assert verdicts.ask(tenant, "evt-1") == verdict_of(third)


def test_a_rejection_is_told_from_one_that_is_not_decided_yet(verdicts: Verdicts, tenant: str) -> None:
    rejection = Rejection(tenant, "evt-1", "no_text")

    verdicts.cache.put_many([rejection])

    assert verdicts.ask(tenant, "evt-1") == verdict_of(rejection)
    assert verdicts.ask(tenant, "evt-2") is None


def test_a_decision_replaces_a_rejection_of_its_name(verdicts: Verdicts, tenant: str) -> None:
    decision = an_encoded_decision(tenant=tenant)

    verdicts.cache.put_many([Rejection(tenant, "evt-1", "no_text")])
    verdicts.cache.put_many([decision])

    assert verdicts.ask(tenant, "evt-1") == verdict_of(decision)


@pytest.mark.parametrize("is_one_window", [True, False])
def test_a_rejection_of_another_event_never_replaces_a_decision(
    verdicts: Verdicts, tenant: str, *, is_one_window: bool
) -> None:
    decision, rejection = an_encoded_decision(tenant=tenant), Rejection(tenant, "evt-1", "bad_schema")

    if is_one_window:
        verdicts.cache.put_many([decision, rejection])
    else:
        verdicts.cache.put_many([decision])
        verdicts.cache.put_many([rejection])

    assert verdicts.ask(tenant, "evt-1") == verdict_of(decision)


@pytest.mark.parametrize("odd", ["", " ", "%3A", "a:b:c", "\u00e9\U0001f600", "\x00", "x" * 256])
def test_any_name_finds_its_own_verdict(verdicts: Verdicts, tenant: str, odd: str) -> None:
    named = an_encoded_decision(tenant=tenant + odd, event_id=odd)
    other = an_encoded_decision(tenant=tenant + odd, event_id=f"{odd}:", decision_id="mod_other")

    verdicts.cache.put_many([named, other])

    assert verdicts.ask(tenant + odd, odd) == verdict_of(named)


def test_a_whole_window_is_kept(verdicts: Verdicts, tenant: str) -> None:
    window = [an_encoded_decision(tenant=tenant, event_id=f"evt-{number}") for number in range(4_000)]

    verdicts.cache.put_many(window)

    assert verdicts.ask(tenant, "evt-0") == verdicts.ask(tenant, "evt-3999") == verdict_of(window[0])


def test_a_single_verdict_is_read_and_an_absent_redis_is_told_from_an_absent_verdict(redis_server: LocalRedis) -> None:
    settings = RedisSettings(url=SecretStr(redis_server.url), deadline_ms=PATIENT_MS)
    metrics = Metrics(CollectorRegistry())
    event_id = uuid.uuid4().hex
    RedisVerdictCache(settings, metrics, time.monotonic).put_many(
        [an_encoded_decision(event_id=event_id, tenant="a:b", verdict="flag")]
    )
    reader = VerdictReader(settings, metrics, time.monotonic)
    away = VerdictReader(RedisSettings(url=SecretStr("redis://127.0.0.1:9/0")), metrics, time.monotonic)

    found, nothing, nowhere = reader.read("a:b", event_id), reader.read("other", event_id), away.read("a:b", event_id)

    assert found.value is not None
    assert found.value["verdict"] == "flag"
    assert (nothing.is_away, nothing.value) == (False, None)
    assert nowhere.is_away
