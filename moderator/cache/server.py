"""One connection to one Redis server. Sockets wait in real time."""

import socket
import time
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from moderator.cache.protocol import Reply, ReplyReader

_RECEIVED_BYTES = 1 << 18


class Server:
    """Sends packed commands and reads their answers; Redis' client connects and logs in.

    Args:
        connection: the client's, whose types are incomplete.

    Raises of all methods:
        RedisError, OSError, ValueError: no connection, no answer in time, or not Redis' protocol.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @property
    def is_stale(self) -> bool:
        """The server has closed the connection, or says something that nobody asked for."""
        try:
            return bool(self._connection.can_read())
        except (RedisError, OSError):
            return True

    def connect(self) -> None:
        """Connect, log in and choose the database, if that was not done yet."""
        self._connection.connect()

    def call(self, *words: str) -> object:
        """Send one command by the client, and give what it reads."""
        self._connection.send_command(*words)
        return self._connection.read_response()

    def send(self, commands: bytes, ends_at_s: float) -> None:
        """Send commands; `ends_at_s` is in `time.monotonic()`."""
        self.connect()
        self._connection.check_health()
        self._socket(ends_at_s).sendall(commands)

    def receive(self, count: int, ends_at_s: float) -> list[Reply]:
        """Read the answers to `count` commands."""
        reader = ReplyReader(count)
        while not reader.is_complete:
            received = self._socket(ends_at_s).recv(_RECEIVED_BYTES)
            if not received:
                raise RedisConnectionError("the server closed the connection")
            reader.feed(received)
        return reader.replies

    def close(self) -> None:
        """Drop the connection; the next call makes another."""
        self._connection.disconnect()

    def _socket(self, ends_at_s: float) -> socket.socket:
        left_s = ends_at_s - time.monotonic()
        if left_s <= 0:
            raise RedisTimeoutError("no answer within the deadline")
        connected: socket.socket = self._connection._sock  # noqa: SLF001 - its public way reads byte by byte
        connected.settimeout(left_s)
        return connected
