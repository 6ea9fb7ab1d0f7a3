"""A real Redis that answers and refuses: the caches say so, connect again, and write as soon as they may."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
import structlog

from moderator.cache.backoff import MAX_BACKOFF_S
from moderator.demo.servers.redis import LocalRedis
from tests.faults.caches import SCORES, Caches, events, is_kept, raw
from tests.faults.forwarder import Forwarder
from tests.waiting import await_condition

LIMIT_S = 10.0
AT_ONCE = ("--repl-diskless-sync-delay", "0")
"""A replica need not wait five seconds for others."""


@pytest.fixture
def server() -> Iterator[LocalRedis]:
    with LocalRedis(*AT_ONCE) as server:
        yield server


@pytest.fixture
def other() -> Iterator[LocalRedis]:
    with LocalRedis(*AT_ONCE) as server:
        yield server


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as entries:
        yield cast("list[Any]", entries)


def refused_and_taken(error: str) -> list[tuple[str, str, str | None]]:
    return [
        ("cache_refuses_writes", "score", error),
        ("cache_refuses_writes", "verdict", error),
        ("cache_takes_writes", "score", None),
        ("cache_takes_writes", "verdict", None),
    ]


def replicate(replica: LocalRedis, master: LocalRedis) -> None:
    with raw(replica) as client:
        client.replicaof("127.0.0.1", master.port)
        await_condition(lambda: client.info("replication")["master_link_status"] == "up")


def test_a_master_that_was_demoted_behind_its_address_is_left_for_the_new_one(
    server: LocalRedis, other: LocalRedis, logs: list[Any]
) -> None:
    replicate(other, server)
    with Forwarder(server.port) as address:
        caches = Caches(address.url)
        caches.write()
        with raw(other) as client:
            client.replicaof("NO", "ONE")
        replicate(server, other)

        caches.write("refused")
        up = caches.up
        address.target_port = other.port
        caches.wait()
        caches.write("after")

        assert up == (0, 0)
        assert caches.up == (1, 1)
        assert is_kept(other, "after")
        assert caches.count("unwritten_total", cache="verdict") == 1
        assert events(logs) == refused_and_taken("READONLY")


def test_a_replica_is_asked_again_every_few_seconds_and_reported_once(
    server: LocalRedis, other: LocalRedis, logs: list[Any]
) -> None:
    caches = Caches(other.url)
    caches.write()
    replicate(other, server)

    for number in range(100):
        caches.write(f"{number}")
        caches.clock.advance(0.2)

    outages = caches.count("outages_total", cache="verdict")
    assert outages is not None
    assert 20 / MAX_BACKOFF_S <= outages <= 20 / MAX_BACKOFF_S + 7
    assert caches.count("unwritten_total", cache="verdict") == 100
    assert events(logs) == refused_and_taken("READONLY")[:2]


def test_a_replica_without_its_master_refuses_reads_too(server: LocalRedis, other: LocalRedis, logs: list[Any]) -> None:
    with raw(other) as client:
        client.config_set("replica-serve-stale-data", "no")
        caches = Caches(other.url)
        caches.write()
        server.stop()
        client.replicaof("127.0.0.1", server.port)

        assert caches.read() is None
        assert caches.count("up", cache="score") == 0
        client.replicaof("NO", "ONE")
        caches.wait()

        assert caches.read() == SCORES
        assert caches.count("up", cache="score") == 1
        assert events(logs)[0] == ("cache_refuses_writes", "score", "MASTERDOWN")
        assert caches.count("lookups_total", outcome="away") == 1


def test_a_full_redis_is_down_until_it_takes_a_write_and_can_be_read_meanwhile(
    server: LocalRedis, logs: list[Any]
) -> None:
    caches = Caches(server.url)
    caches.write()
    with raw(server) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
        caches.write("refused")

        assert caches.read() == SCORES
        assert caches.up == (0, 0)
        client.config_set("maxmemory", 0)
    caches.wait()
    assert caches.read() == SCORES
    assert caches.up == (0, 0)  # a read says nothing of writes
    caches.write("after")

    assert caches.up == (1, 1)
    assert events(logs) == refused_and_taken("OOM")


def test_a_redis_that_cannot_save_refuses_writes(server: LocalRedis, logs: list[Any]) -> None:
    caches = Caches(server.url)
    with raw(server) as client:
        shutil.rmtree(server.folder)
        client.config_set("save", "3600 1")
        client.set("changed", "1")
        client.bgsave()
        await_condition(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
        caches.write("refused")

        up = caches.up
        client.config_set("save", "")
        caches.wait()
        caches.write("after")

    assert (up, caches.up) == ((0, 0), (1, 1))
    assert events(logs) == refused_and_taken("MISCONF")


def test_a_right_that_is_taken_away_and_given_back(server: LocalRedis, logs: list[Any]) -> None:
    with raw(server) as admin:
        admin.execute_command("ACL", "SETUSER", "app", "on", ">right", "~moderator:*", "+get", "+set")
        caches = Caches(server.url.replace("redis://", "redis://app:right@"))
        caches.write()
        admin.execute_command("ACL", "SETUSER", "app", "-set")
        caches.write("refused")

        assert caches.up == (0, 0)
        assert caches.read() == SCORES
        admin.execute_command("ACL", "SETUSER", "app", "+set")
        caches.wait()
        caches.write("after")

    assert caches.up == (1, 1)
    assert events(logs) == refused_and_taken("NOPERM")


def test_a_right_to_read_that_is_taken_away_makes_every_look_up_a_miss(server: LocalRedis, logs: list[Any]) -> None:
    with raw(server) as admin:
        admin.execute_command("ACL", "SETUSER", "app", "on", ">right", "~moderator:*", "+get", "+set")
        caches = Caches(server.url.replace("redis://", "redis://app:right@"))
        caches.write()
        admin.execute_command("ACL", "SETUSER", "app", "-get")

        for _ in range(3):
            assert caches.read() is None
            caches.write()  # goes on, and does not claim that all is well
            assert caches.up == (0, 1)
            caches.wait()
        admin.execute_command("ACL", "SETUSER", "app", "+get")

        assert caches.read() == SCORES
    assert caches.up == (1, 1)
    assert events(logs) == [("cache_refuses_writes", "score", "NOPERM"), ("cache_takes_writes", "score", None)]


@pytest.mark.parametrize(("address", "error"), [(":right@", "WRONGPASS"), ("", "NOAUTH")])
def test_a_password_that_was_changed_is_found_at_the_next_connection_and_not_shown(
    server: LocalRedis, logs: list[Any], address: str, error: str
) -> None:
    with raw(server) as admin:
        if address:
            admin.config_set("requirepass", "right")
        caches = Caches(server.url.replace("redis://", f"redis://{address}"))
        caches.write()
        admin.config_set("requirepass", "hunter2")
        admin.client_kill_filter(_type="normal", skipme=True)

        caches.write("refused")
        up = caches.up
        admin.config_set("requirepass", "right" if address else "")
    caches.wait()
    caches.write("after")

    assert (up, caches.up) == ((0, 0), (1, 1))
    away = [("cache_away", cache, error) for cache in ("score", "verdict")]
    assert events(logs) == [*away, *(("cache_back", cache, None) for cache in ("score", "verdict"))]
    assert "hunter2" not in str(logs)
    assert "right" not in str(logs)


def test_a_redis_that_is_loading_is_refused_until_it_has_loaded(logs: list[Any]) -> None:
    """Scripted: a real one loads for less than a moment what a test can write in a second."""
    loading = threading.Event()
    loading.set()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, loading), daemon=True).start()
        caches = Caches(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        caches.read()
        caches.write("refused")

        up = caches.up
        loading.clear()
        caches.wait()
        caches.read()
        caches.write("after")

    assert (up, caches.up) == ((0, 0), (1, 1))
    assert events(logs) == refused_and_taken("LOADING")


def _serve(listener: socket.socket, loading: threading.Event) -> None:
    """Answer one command a read, as Redis does while it loads and afterwards."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection, loading), daemon=True).start()


def _answer(connection: socket.socket, loading: threading.Event) -> None:
    with connection:
        while command := connection.recv(65_536):
            if b"CLIENT" in command:
                answer = b"+OK\r\n"
            elif b"CLUSTER" in command:
                answer = b"-ERR This instance has cluster support disabled\r\n"
            elif loading.is_set():
                answer = b"-LOADING Redis is loading the dataset in memory\r\n"
            else:
                answer = b"$-1\r\n" if b"GET" in command else b"+OK\r\n"
            connection.sendall(answer)


def test_an_idle_connection_that_redis_closed_is_no_outage(server: LocalRedis, logs: list[Any]) -> None:
    caches = Caches(server.url)
    caches.write()
    with raw(server) as admin:
        admin.client_kill_filter(_type="normal", skipme=True)

    caches.write("after")

    assert is_kept(server, "after")
    assert logs == []


def test_a_failover_behind_one_address_is_followed_within_ten_seconds(server: LocalRedis, other: LocalRedis) -> None:
    """As Sentinel makes one: the master hangs, the replica is promoted, and the address leads to it."""
    replicate(other, server)
    with Forwarder(server.port) as address:
        caches = Caches(address.url, deadline_ms=500)
        caches.write()
        server.pause()
        for _ in range(2):
            caches.write("lost")
            caches.wait()
        down = caches.up
        with raw(other) as client:
            client.replicaof("NO", "ONE")
        address.target_port = other.port

        started_s = time.monotonic()
        caches.clock.advance(MAX_BACKOFF_S)
        caches.write("after")

        assert (down, caches.up) == ((0, 0), (1, 1))
        assert is_kept(other, "after")
        assert MAX_BACKOFF_S + time.monotonic() - started_s < LIMIT_S
        server.resume()
