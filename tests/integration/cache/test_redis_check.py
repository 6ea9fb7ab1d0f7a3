"""What is found out about a real Redis at the start, before anything depends on it."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from moderator.cache import check_redis
from moderator.demo.servers.redis import LocalRedis
from moderator.errors import CacheUnavailableError, ConfigurationError
from moderator.settings import RedisSettings
from moderator.supervisor.child import free_ports
from tests.faults.caches import ask


@pytest.fixture
def server() -> Iterator[LocalRedis]:
    with LocalRedis() as server:
        yield server


def check(url: str) -> None:
    check_redis(RedisSettings(url=url))


def refusal(url: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        check(url)
    assert "secret" not in str(caught.value)
    return str(caught.value)


def test_a_redis_that_can_be_used_passes_and_nothing_is_changed(server: LocalRedis) -> None:
    check(server.url)

    assert ask(server, "DBSIZE") == 0


def test_no_redis_is_checked_where_none_is_named() -> None:
    check_redis(RedisSettings(url=None))


@pytest.mark.parametrize(("user", "code"), [(":other-secret@", "WRONGPASS"), ("", "NOAUTH"), ("app:x@", "WRONGPASS")])
def test_a_wrong_password_or_none_is_wrong_and_not_shown(server: LocalRedis, user: str, code: str) -> None:
    ask(server, "CONFIG SET", "requirepass", "right-secret")

    assert code in refusal(server.url.replace("redis://", f"redis://{user}"))


def test_a_password_for_a_redis_that_has_none_is_wrong(server: LocalRedis) -> None:
    assert "WRONGPASS" in refusal(server.url.replace("redis://", "redis://:a-secret@"))


@pytest.mark.parametrize("rights", ["-get", "-set", "resetkeys ~moderator:score:*", "resetkeys ~another:*"])
def test_a_right_that_the_caches_need_is_missed(server: LocalRedis, rights: str) -> None:
    ask(server, "ACL SETUSER", "app", "on", ">a-secret", "~moderator:*", "+get", "+set", *rights.split())

    assert "NOPERM" in refusal(server.url.replace("redis://", "redis://app:a-secret@"))


def test_no_other_right_is_needed(server: LocalRedis) -> None:
    ask(server, "ACL SETUSER", "app", "on", ">a-secret", "~moderator:*", "+get", "+set")

    check(server.url.replace("redis://", "redis://app:a-secret@"))


def test_a_database_out_of_range_is_wrong(server: LocalRedis) -> None:
    assert "database" in refusal(server.url.replace("/0", "/99"))


def test_a_cluster_has_database_0_only_and_may_have_the_keys_elsewhere() -> None:
    bus_port, *_ = free_ports(1)
    with LocalRedis("--cluster-enabled", "yes", "--cluster-port", str(bus_port)) as node:
        with pytest.raises(CacheUnavailableError, match="CLUSTERDOWN"):
            check(node.url)
        assert "database" in refusal(node.url.replace("/0", "/1"))


def test_a_plain_redis_at_an_address_with_tls_is_wrong(server: LocalRedis) -> None:
    assert "does not speak TLS" in refusal(server.url.replace("redis://", "rediss://"))


def test_a_redis_with_tls_at_a_plain_address_is_wrong_and_so_is_its_unknown_certificate(tmp_path: Path) -> None:
    key, certificate, [port] = tmp_path / "key.pem", tmp_path / "certificate.pem", free_ports(1)
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *names], check=True, capture_output=True)
    files = ["--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no"]
    with LocalRedis("--tls-port", str(port), *files):
        assert "speaks TLS" in refusal(f"redis://127.0.0.1:{port}/0")
        assert "certificates" in refusal(f"rediss://127.0.0.1:{port}/0")
        check(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}")


def test_a_redis_that_is_away_or_frozen_does_not_answer(server: LocalRedis) -> None:
    server.pause()
    with pytest.raises(CacheUnavailableError):
        check(server.url)
    server.resume()
    server.stop()
    with pytest.raises(CacheUnavailableError):
        check(server.url)


def test_a_replica_is_used_when_it_becomes_a_master(server: LocalRedis) -> None:
    ask(server, "REPLICAOF", "127.0.0.1", 9)

    with pytest.raises(CacheUnavailableError, match="READONLY"):
        check(server.url)


def test_something_else_at_the_address_is_wrong() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer_as_http, args=(listener,), daemon=True).start()

        assert "does not speak as Redis" in refusal(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")


def answer_as_http(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                while connection.recv(65_536):
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
