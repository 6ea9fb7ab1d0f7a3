"""The caches on a real cluster of two Redis servers: no setting says that it is one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import pytest
import structlog
from redis.crc import key_slot

from moderator.cache import verdict_key
from moderator.demo.servers.redis import LocalRedis
from moderator.supervisor.child import free_ports
from tests.builders import an_encoded_decision
from tests.faults.caches import SCORES, Caches, ask, events, raw
from tests.waiting import await_condition

SLOTS = 16_384
HALF = SLOTS // 2
HALVES = ((0, HALF - 1), (HALF, SLOTS - 1))
MANY = [f"{number}" for number in range(2_000)]

pytestmark = pytest.mark.xdist_group("cluster of Redis")


class TwoNodes(NamedTuple):
    """Each has half of the slots; a test that moves some moves them back."""

    first: LocalRedis
    second: LocalRedis


@pytest.fixture(scope="module")
def started() -> Iterator[TwoNodes]:
    bus_ports = free_ports(2)
    options = [("--cluster-enabled", "yes", "--cluster-port", str(port)) for port in bus_ports]
    with LocalRedis(*options[0]) as first, LocalRedis(*options[1]) as second:
        ask(first, "CLUSTER ADDSLOTSRANGE", *HALVES[0])
        ask(second, "CLUSTER ADDSLOTSRANGE", *HALVES[1])
        ask(first, "CLUSTER MEET", "127.0.0.1", second.port, bus_ports[1])
        yield TwoNodes(first, second)


@pytest.fixture
def nodes(started: TwoNodes) -> TwoNodes:
    await_all_slots(started)
    for node in started:
        ask(node, "FLUSHALL")
    return started


def await_all_slots(nodes: TwoNodes) -> None:
    for node in nodes:
        await_condition(lambda node=node: state(node) == ("ok", str(SLOTS)))  # type: ignore[misc]


def state(node: LocalRedis) -> tuple[str, str]:
    info = ask(node, "CLUSTER INFO")
    return info["cluster_state"], info["cluster_slots_ok"]


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as entries:
        yield cast("list[Any]", entries)


def write_many(caches: Caches) -> None:
    caches.scores.put_many(dict.fromkeys(MANY, SCORES))
    caches.verdicts.put_many([an_encoded_decision(event_id=name) for name in MANY])


def assert_all_is_kept(caches: Caches, nodes: TwoNodes) -> None:
    assert caches.scores.get_many(MANY) == [SCORES] * len(MANY)
    keys = [ask(node, "DBSIZE") for node in nodes]
    assert sum(keys) == 2 * len(MANY)
    assert min(keys) > 0.8 * len(MANY)
    assert caches.up == (1, 1)
    assert caches.count("outages_total", cache="score") == caches.count("outages_total", cache="verdict") == 0


def test_scores_and_verdicts_are_spread_over_a_cluster(nodes: TwoNodes, logs: list[Any]) -> None:
    caches = Caches(nodes.first.url)

    write_many(caches)

    assert_all_is_kept(caches, nodes)
    assert logs == []


def test_a_user_who_may_not_ask_for_the_slots_is_led_by_the_answers(nodes: TwoNodes) -> None:
    for node in nodes:
        ask(node, "ACL", "SETUSER", "app", "on", ">right", "~moderator:*", "+get", "+set")
    caches = Caches(nodes.first.url.replace("redis://", "redis://app:right@"))

    write_many(caches)

    assert_all_is_kept(caches, nodes)


def test_a_slot_that_moved_is_followed(nodes: TwoNodes, logs: list[Any]) -> None:
    caches = Caches(nodes.first.url)
    key = next(name for name in MANY if slot(f"moderator:score:{name}") < HALF)
    caches.scores.put_many({key: SCORES})

    with given(slot(f"moderator:score:{key}"), nodes):
        caches.scores.put_many({key: SCORES})
        found, is_moved = caches.read(key), ask(nodes.second, "EXISTS", f"moderator:score:{key}")

    assert found == SCORES
    assert is_moved
    assert logs == []


def test_a_slot_that_is_just_moving_is_read_and_written_at_its_new_place(nodes: TwoNodes, logs: list[Any]) -> None:
    caches = Caches(nodes.first.url)
    name = next(name for name in MANY if slot(verdict_key("acme", name)) < HALF)
    caches.write("connects")

    with moving(slot(verdict_key("acme", name)), nodes):
        caches.verdicts.put_many([an_encoded_decision(event_id=name), an_encoded_decision(event_id="another")])

        with raw(nodes.second) as client:
            client.execute_command("ASKING")
            assert client.execute_command("EXISTS", verdict_key("acme", name)) == 1
    assert logs == []


def test_a_cluster_that_lacks_slots_refuses_until_it_has_them(nodes: TwoNodes, logs: list[Any]) -> None:
    caches = Caches(nodes.first.url)

    with without_slots(nodes):
        caches.write()
        up = caches.up
    caches.wait()
    caches.write()

    assert (up, caches.up) == ((0, 0), (1, 1))
    assert events(logs)[:2] == [
        ("cache_refuses_writes", "score", "CLUSTERDOWN"),
        ("cache_refuses_writes", "verdict", "CLUSTERDOWN"),
    ]


def test_a_node_that_is_frozen_costs_one_deadline_for_all_keys(nodes: TwoNodes) -> None:
    write_many(Caches(nodes.first.url))
    caches = Caches(nodes.first.url, deadline_ms=2_000)
    caches.scores.get_many(MANY[:9])

    with frozen(nodes.second):
        found = caches.scores.get_many(MANY)
        again = caches.scores.get_many(MANY)
    caches.wait()

    assert found == again == [None] * len(MANY)
    assert caches.count("outages_total", cache="score") == 1
    assert caches.scores.get_many(MANY[:9]) == [SCORES] * 9


def test_a_dead_node_at_the_address_leads_to_another_one(nodes: TwoNodes) -> None:
    caches = Caches(nodes.first.url)
    name = next(name for name in MANY if slot(f"moderator:score:{name}") >= HALF)
    caches.scores.put_many({name: SCORES})

    with dead(nodes.first, nodes.second):
        for _ in range(4):
            caches.wait()
            found = caches.read(name)
            if found:
                break

    assert found == SCORES


def slot(key: str) -> int:
    return key_slot(key.encode())


@contextmanager
def given(number: int, nodes: TwoNodes) -> Iterator[None]:
    """Let the second node have a slot of the first."""
    give(number, nodes.first, nodes.second)
    try:
        yield
    finally:
        give(number, nodes.second, nodes.first)


def give(number: int, giver: LocalRedis, taker: LocalRedis) -> None:
    """Move a slot as administrators do: who imports it counts as the newer owner, whatever the giver said before."""
    ask(giver, "FLUSHALL")  # a node gives no slot away that it has keys of
    ask(taker, "CLUSTER SETSLOT", number, "IMPORTING", ask(giver, "CLUSTER MYID"))
    ask(giver, "CLUSTER SETSLOT", number, "MIGRATING", ask(taker, "CLUSTER MYID"))
    for node in (taker, giver):
        ask(node, "CLUSTER SETSLOT", number, "NODE", ask(taker, "CLUSTER MYID"))


@contextmanager
def moving(number: int, nodes: TwoNodes) -> Iterator[None]:
    """Begin to move a slot from the first node to the second, and give it up."""
    ask(nodes.second, "CLUSTER SETSLOT", number, "IMPORTING", ask(nodes.first, "CLUSTER MYID"))
    ask(nodes.first, "CLUSTER SETSLOT", number, "MIGRATING", ask(nodes.second, "CLUSTER MYID"))
    try:
        yield
    finally:
        for node in nodes:
            ask(node, "CLUSTER SETSLOT", number, "STABLE")


@contextmanager
def without_slots(nodes: TwoNodes) -> Iterator[None]:
    """Let each node own nothing: of its own slots it believes no gossip of the other, which may be on its way."""
    for node in nodes:
        ask(node, "CLUSTER FLUSHSLOTS")
    try:
        for node in nodes:
            await_condition(lambda node=node: state(node)[0] == "fail")  # type: ignore[misc]
        yield
    finally:
        for node, (first, last) in zip(nodes, HALVES, strict=True):
            ask(node, "CLUSTER ADDSLOTSRANGE", first, last)
        await_all_slots(nodes)


@contextmanager
def frozen(node: LocalRedis) -> Iterator[None]:
    node.pause()
    try:
        yield
    finally:
        node.resume()


@contextmanager
def dead(node: LocalRedis, other: LocalRedis) -> Iterator[None]:
    """Kill a node, and let the other one serve its own half meanwhile."""
    ask(other, "CONFIG SET", "cluster-require-full-coverage", "no")
    node.kill()
    try:
        yield
    finally:
        node.start()
        ask(other, "CONFIG SET", "cluster-require-full-coverage", "yes")
