"""Ports of local servers."""

import socket

import pytest

from moderator.supervisor.child import free_ports, is_open


def test_a_port_is_given_once_and_its_server_may_come_and_go() -> None:
    [port] = free_ports(1)

    with socket.socket() as another, pytest.raises(OSError, match="in use"):
        another.bind(("127.0.0.1", port))
    for _ in range(2):
        assert not is_open(port)
        with socket.create_server(("127.0.0.1", port)):
            assert is_open(port)
