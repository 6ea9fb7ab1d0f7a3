"""A real Redis that stores nothing on disk; never the machine's own service."""

import shutil
import socket

from moderator.demo.servers.server import LocalServer
from moderator.errors import CacheUnavailableError
from moderator.supervisor.child import free_ports, last_lines

_HINT = "`redis-server` is missing: install it (Debian, Ubuntu: `apt-get install redis-server`) for a real cache"
_START_TIMEOUT_S = 10.0
_PING_TIMEOUT_S = 0.5


class LocalRedis(LocalServer):
    """`with LocalRedis() as redis: connect(redis.url)`. A restart removes all data.

    Args:
        options: more of them for redis-server's command line.
    """

    def __init__(self, *options: str) -> None:
        super().__init__("redis")
        self.port = free_ports(1)[0]
        self._options = options

    @property
    def url(self) -> str:
        """Address for `MODERATOR_REDIS__URL`."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, or start again on the same port, and wait until it answers.

        Raises:
            CacheUnavailableError: `redis-server` is missing or does not start.
        """
        binary = shutil.which("redis-server")
        if binary is None:
            raise CacheUnavailableError(_HINT)
        address = ["--bind", "127.0.0.1", "--port", str(self.port)]
        no_persistence = ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        if not self._run([binary, *address, *no_persistence, *self._options], self._answers, _START_TIMEOUT_S):
            raise CacheUnavailableError(f"redis-server did not start on port {self.port}: {last_lines(self.log)}")

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=_PING_TIMEOUT_S) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False
