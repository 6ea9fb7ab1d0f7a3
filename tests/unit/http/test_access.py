"""Tokens, and the names of a loopback server."""

import pytest
from pydantic import SecretStr

from moderator.http.access import Tokens, is_loopback, names_this_machine, tokens_in, without_port

OLD, NEW = "an-old-token-0123", "a-new-token-45678"


@pytest.mark.parametrize("separator", [",", "\n", " ,\r\n"])
@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"Bearer " + OLD.encode()),
        (b"authorization", b"bEARER   " + NEW.encode()),
        (b"x-api-key", NEW.encode()),
    ],
)
def test_every_token_of_the_setting_opens_in_either_header(separator: str, header: tuple[bytes, bytes]) -> None:
    tokens = Tokens(SecretStr(OLD + separator + NEW))

    assert tokens.admit([(b"host", b"x"), header])


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", OLD.encode()),
        (b"authorization", b"Basic " + OLD.encode()),
        (b"authorization", b"Bearer " + OLD[:-1].encode()),
        (b"x-api-key", OLD.encode() + b"x"),
        (b"x-api-key", b"\xff\x00"),
        (b"x-api-key", b""),
        (b"cookie", OLD.encode()),
    ],
)
def test_nothing_else_opens(header: tuple[bytes, bytes]) -> None:
    assert not Tokens(SecretStr(OLD)).admit([header])


@pytest.mark.parametrize(
    ("name", "value"), [(b"authorization", b"Bearer " + OLD.encode()), (b"x-api-key", OLD.encode())]
)
def test_a_header_that_is_sent_twice_opens_nothing(name: bytes, value: bytes) -> None:
    tokens = Tokens(SecretStr(OLD))

    assert not tokens.admit([(name, b"Bearer wrong"), (name, value)])
    assert not tokens.admit([(name, value), (name, value)])
    assert tokens_in([(name, value)] * 2_000) == []


def test_without_a_token_nothing_opens() -> None:
    assert not Tokens(None)
    assert not Tokens(None).admit([(b"authorization", b"Bearer ")])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost", "LOCALHOST"])
def test_loopback_addresses_are_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "moderator", "localhost.example"])
def test_other_addresses_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", [b"localhost", b"LocalHost:8080", b"127.0.0.1:1", b"[::1]", b"[::1]:8080"])
def test_a_loopback_server_is_called_by_its_own_names(host: bytes) -> None:
    assert names_this_machine([(b"host", host)])


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [b""],
        [b"evil.example"],
        [b"localhost.evil.example:8080"],
        [b"127.0.0.1.evil.example"],
        [b"[::1"],
        [b"::1"],
        [b"localhost", b"evil.example"],
    ],
)
def test_a_name_that_can_be_rebound_is_none_of_them(hosts: list[bytes]) -> None:
    assert not names_this_machine([(b"host", host) for host in hosts])


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("localhost:8080", "localhost"),
        ("198.51.100.1:50000", "198.51.100.1"),
        ("198.51.100.1", "198.51.100.1"),
        ("[2001:db8::1]:443", "[2001:db8::1]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1", "[2001:db8::1"),
        ("localhost:", "localhost:"),
        ("localhost:x", "localhost:x"),
    ],
)
def test_a_port_is_taken_off_where_there_is_one(host: str, alone: str) -> None:
    assert without_port(host) == alone
