import os
import socket
from collections.abc import Iterator
from contextlib import closing
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

import pytest

from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import client_settings
from moderator.stream.kafka.selector import QuickSelector


class Shy(socket.socket):
    """A socket that must not be shown: that asks the system for its addresses."""

    def __repr__(self) -> str:
        raise AssertionError


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with closing(Shy(fileno=ours.detach())) as shy, theirs:
        yield shy, theirs


@pytest.fixture
def selector() -> Iterator[QuickSelector]:
    with QuickSelector() as made:
        yield made


def test_a_socket_that_is_not_registered_is_an_error_that_does_not_show_it(
    selector: QuickSelector, pair: tuple[socket.socket, socket.socket]
) -> None:
    with pytest.raises(KeyError):
        selector.get_key(pair[0])


def test_it_knows_what_is_registered_and_waits_for_it(
    selector: QuickSelector, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    selector.register(ours, EVENT_READ, "reader")
    theirs.send(b"x")

    assert selector.get_key(ours).data == "reader"
    assert [(key.fileobj, events) for key, events in selector.select(5)] == [(ours, EVENT_READ)]

    selector.modify(ours, EVENT_WRITE, "writer")

    assert selector.get_key(ours).data == "writer"
    assert [(key.data, events) for key, events in selector.select(5)] == [("writer", EVENT_WRITE)]


def test_a_socket_that_was_closed_first_can_be_unregistered(
    selector: QuickSelector, pair: tuple[socket.socket, socket.socket]
) -> None:
    selector.register(pair[0], EVENT_READ)
    pair[0].close()

    selector.unregister(pair[0])

    with pytest.raises(ValueError, match="Invalid file"):
        selector.get_key(pair[0])
    assert selector.select(0) == []


def test_it_knows_a_socket_by_its_number_as_pythons_own_selector(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    number = ours.fileno()
    for selector in (QuickSelector(), DefaultSelector()):
        with selector:
            selector.register(ours, EVENT_READ, "first")
            with closing(socket.socket()) as other:
                os.dup2(other.fileno(), number)  # closed and opened again, as seen by the system

            assert selector.get_key(number).data == "first"
            with pytest.raises(FileNotFoundError):
                selector.modify(ours, EVENT_WRITE, "second")
            with pytest.raises(KeyError):
                selector.get_key(number)
            assert selector.register(ours, EVENT_WRITE, "third") == selector.get_key(ours)


def test_every_client_of_kafka_waits_with_it() -> None:
    assert client_settings(KafkaSettings())["selector"] is QuickSelector
