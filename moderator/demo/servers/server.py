"""A server on loopback with its own ports and temporary folder; it runs while its `with` block lasts."""

import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from moderator.supervisor.child import Child, await_ready

_STOP_TIMEOUT_S = 10.0


class LocalServer(ABC):
    """It keeps its ports and its folder when it is stopped, killed and started again; `close` removes everything.

    When the process that started it is killed, the server ends too; only the folder remains.

    Attributes:
        folder: where the server may write.
        log: what it printed.
    """

    def __init__(self, name: str) -> None:
        """Make the folder; nothing runs yet."""
        self.folder = Path(tempfile.mkdtemp(prefix=f"moderator-{name}-"))
        self.log = self.folder / f"{name}.log"
        self._child: Child | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def start(self) -> None:
        """Start, or start again on the same ports, and wait until it answers."""

    def stop(self) -> None:
        """Stop in order; kill it when it does not end within 10 s."""
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
        """Let it continue after `pause`."""
        if self._child is not None:
            self._child.resume()

    def close(self) -> None:
        """Stop and remove everything."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, command: Sequence[str], answers: Callable[[], bool], timeout_s: float) -> bool:
        """Start `command` and wait until it answers; false when it does not; then nothing runs."""
        self._child = Child(command, log=self.log)
        if await_ready(self._child, answers, timeout_s):
            return True
        self.kill()
        return False
