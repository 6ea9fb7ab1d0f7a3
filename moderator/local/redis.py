"""A real Redis on loopback: a free port, a temporary folder, nothing kept. Never the machine's own service."""

import shutil
import socket
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from moderator.errors import CacheUnavailableError
from moderator.local.child import Child, await_answer, free_ports, last_lines
from moderator.local.packages import REDIS_HINT

_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 5.0
_PING_TIMEOUT_S = 0.5


class LocalRedis:
    """`with LocalRedis() as redis: connect(redis.url)`. Restarts keep the port; what was stored is gone."""

    def __init__(self) -> None:
        self.port = free_ports(1)[0]
        self._folder = Path(tempfile.mkdtemp(prefix="moderator-redis-"))
        self._log = self._folder / "redis.log"
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Address for `MODERATOR_REDIS__URL`."""
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start, or start again on the same port, and wait until it answers.

        Raises:
            CacheUnavailableError: `redis-server` is missing or does not come up.
        """
        binary = shutil.which("redis-server")
        if binary is None:
            raise CacheUnavailableError(REDIS_HINT)
        address = ["--bind", "127.0.0.1", "--port", str(self.port)]
        nothing_kept = ["--save", "", "--appendonly", "no", "--dir", str(self._folder)]
        self._child = Child([binary, *address, *nothing_kept], log=self._log)
        if not await_answer(self._child, self._answers, _START_TIMEOUT_S):
            self.kill()
            raise CacheUnavailableError(f"redis-server did not start on port {self.port}: {last_lines(self._log)}")

    def stop(self) -> None:
        """Stop in order."""
        if self._child is not None:
            self._child.stop(_STOP_TIMEOUT_S)

    def kill(self) -> None:
        """End it as a crash would."""
        if self._child is not None:
            self._child.kill()

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        if self._child is not None:
            self._child.pause()

    def resume(self) -> None:
        """Thaw it."""
        if self._child is not None:
            self._child.resume()

    def close(self) -> None:
        """Stop and remove everything."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=_PING_TIMEOUT_S) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False
