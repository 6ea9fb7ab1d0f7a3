"""All servers behind one address: a single one, or those of a cluster.

Each command has one key. Which server of a cluster has it is asked with CLUSTER SLOTS whenever the address is connected
to, and learned from MOVED and ASK answers, also where that question is refused. The client's own cluster class is not
used: its deadlines do not hold for a whole pipeline.
"""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from redis import Redis
from redis.connection import Connection, UnixDomainSocketConnection
from redis.crc import key_slot
from redis.exceptions import RedisError, ResponseError

from moderator.cache.protocol import ASKING, Refusal, Reply
from moderator.cache.server import Server

MAX_REDIRECTIONS: Final = 5


class Address(NamedTuple):
    """A node of a cluster."""

    host: str
    port: int


class Way(NamedTuple):
    """How a command reaches its server: None is the address of the settings."""

    address: Address | None
    is_asking: bool = False


class Cluster:
    """Sends each command to the server that has its key. One thread owns it.

    Raises of `exchange`:
        RedisError, OSError, ValueError: a server does not answer in time, or refuses the connection.
    """

    def __init__(self, client: Redis) -> None:
        self._pool = client.connection_pool
        self._servers: dict[Address | None, Server] = {}
        self._slots: dict[int, Address] = {}
        self._entries: deque[Address | None] = deque([None])
        self._entry: Address | None = None

    def exchange(self, keys: Sequence[bytes], commands: Sequence[bytes], timeout_s: float) -> list[Reply]:
        """Send each key's command and give the answers in the same order; the time is for all of it."""
        ends_at_s = time.monotonic() + timeout_s
        self._enter()
        replies: list[Reply] = [None] * len(keys)
        waiting = self._grouped(range(len(keys)), keys)
        for _ in range(1 + MAX_REDIRECTIONS):
            self._exchange_once(waiting, commands, replies, ends_at_s)
            waiting = self._redirected(waiting, keys, replies)
            if not waiting:
                break
        return replies

    def drop(self) -> None:
        """Drop all connections; the next exchange begins at the address, and at another known node if that fails."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        self._slots.clear()

    def _enter(self) -> None:
        """Connect to the address, where no connection is in use, and ask it for the slots."""
        if any(server.is_stale for server in self._servers.values()):
            self.drop()
        if self._servers:
            return
        self._entry = self._entries[0]
        entry = self._server(self._entry)
        try:
            entry.connect()
            self._slots = _slots(entry)
        except (RedisError, OSError):
            self._entries.rotate(-1)
            raise
        nodes = dict.fromkeys(self._slots.values())
        self._entries = deque([None, *nodes])

    def _server(self, address: Address | None) -> Server:
        if address not in self._servers:
            self._servers[address] = Server(self._connection(address))
        return self._servers[address]

    def _connection(self, address: Address | None) -> Any:
        """Make a connection; every node takes the user, the password and the TLS options of the address."""
        made_by, options = self._pool.connection_class, dict(self._pool.connection_kwargs)
        if address is None:
            return made_by(**options)
        options.pop("path", None)
        made_by = Connection if made_by is UnixDomainSocketConnection else made_by
        return made_by(**options | {"host": address.host or options.get("host", ""), "port": address.port})

    def _grouped(self, numbers: Iterable[int], keys: Sequence[bytes]) -> dict[Way, list[int]]:
        entry = Way(self._entry)
        if not self._slots:
            return {entry: list(numbers)}
        groups: dict[Way, list[int]] = {}
        for number in numbers:
            address = self._slots.get(key_slot(keys[number]))
            groups.setdefault(Way(address) if address else entry, []).append(number)
        return groups

    def _exchange_once(
        self, waiting: dict[Way, list[int]], commands: Sequence[bytes], replies: list[Reply], ends_at_s: float
    ) -> None:
        """Send everything before anything is read, so that all servers work at the same time."""
        for way, numbers in waiting.items():
            prefix = ASKING if way.is_asking else b""
            self._server(way.address).send(b"".join([prefix + commands[number] for number in numbers]), ends_at_s)
        for way, numbers in waiting.items():
            each = 2 if way.is_asking else 1
            received = self._server(way.address).receive(each * len(numbers), ends_at_s)
            if len(numbers) == len(replies):
                replies[:] = received[each - 1 :: each]
                continue
            for number, reply in zip(numbers, received[each - 1 :: each], strict=True):
                replies[number] = reply

    def _redirected(
        self, waiting: dict[Way, list[int]], keys: Sequence[bytes], replies: list[Reply]
    ) -> dict[Way, list[int]]:
        """Give the commands that another server has to answer; note where a slot has moved to."""
        redirected: dict[Way, list[int]] = {}
        if not any(isinstance(reply, Refusal) for reply in replies):
            return redirected
        for way, numbers in waiting.items():
            for number in numbers:
                if not isinstance(refusal := replies[number], Refusal):
                    continue
                if (address := _target(refusal, way.address)) is None:
                    continue
                if refusal.code == "MOVED":
                    self._slots[key_slot(keys[number])] = address
                redirected.setdefault(Way(address, refusal.code == "ASK"), []).append(number)
        return redirected


def _target(refusal: Refusal, asked: Address | None) -> Address | None:
    """Read the address in `MOVED 3999 127.0.0.1:6381`; without a host it is that of the server that answered."""
    if refusal.code not in {"MOVED", "ASK"}:
        return None
    host, _, port = refusal.text.rpartition(" ")[2].rpartition(":")
    return Address(host or (asked.host if asked else ""), int(port))


def _slots(server: Server) -> dict[int, Address]:
    """Ask which node has which slots; none where this is no cluster, or the question is not allowed."""
    try:
        ranges: Any = server.call("CLUSTER", "SLOTS")
    except ResponseError:
        return {}
    return {
        slot: Address((host or b"").decode(), int(port))
        for first, last, (host, port, *_), *_ in ranges
        for slot in range(first, last + 1)
    }
