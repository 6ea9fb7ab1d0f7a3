"""`moderator run` and `moderator console` as users start them: processes configured only by their environment."""

import http.client
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from moderator.demo.examples import source_folder
from moderator.supervisor.child import Child, await_ready, free_ports

_STOP_TIMEOUT_S = 15.0
_HTTP_TIMEOUT_S = 1.0
_LAST_LINES = 12


class _LocalCommand:
    """One command that serves HTTP.

    It works in an empty folder and sees only the `MODERATOR_…` variables that are given: other settings of this machine
    must not reach it.

    Attributes:
        command: which one.
        port_variable: what sets its port.
        ready_path: where it answers 200 once it is ready.
    """

    command: ClassVar[str]
    port_variable: ClassVar[str]
    ready_path: ClassVar[str]

    def __init__(self, settings: Mapping[str, str], flags: Sequence[str] = ()) -> None:
        """Choose an HTTP port; nothing runs yet."""
        self._flags = flags
        self.http_port = free_ports(1)[0]
        self._folder = Path(tempfile.mkdtemp(prefix=f"moderator-{self.command}-"))
        self._environment = _other_environment() | {self.port_variable: str(self.http_port)} | dict(settings)
        self._child: Child | None = None

    @property
    def log(self) -> Path:
        """What it printed."""
        return self._folder / "moderator.log"

    @property
    def exit_code(self) -> int | None:
        """Give the exit code; None while it runs."""
        return self._child.exit_code if self._child else None

    def __enter__(self) -> Self:
        self._child = self._start([sys.executable, "-m", "moderator", self.command, *self._flags])
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.stop(_STOP_TIMEOUT_S)
        shutil.rmtree(self._folder, ignore_errors=True)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._child is not None
        self._child.signal(number)

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the end and give the exit code; None when it still runs after `timeout_s`."""
        assert self._child is not None
        return self._child.wait(timeout_s)

    def await_ready(self, timeout_s: float) -> bool:
        """Wait until it reports that it is ready; false when it has ended or `timeout_s` is over."""
        assert self._child is not None
        return await_ready(self._child, self._is_ready, timeout_s)

    def last_lines(self) -> str:
        """Give the last lines that it printed."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_LAST_LINES:]) or "(nothing)"

    def _start(self, command: Sequence[str]) -> Child:
        return Child(command, log=self.log, env=self._environment, folder=self._folder)

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=_HTTP_TIMEOUT_S)
        try:
            connection.request("GET", self.ready_path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class LocalReplica(_LocalCommand):
    """`with LocalReplica({"MODERATOR_MODEL__PATH": "builtin", …}) as replica: replica.await_ready(60)`."""

    command = "run"
    port_variable = "MODERATOR_HTTP__PORT"
    ready_path = "/readyz"


class LocalConsole(_LocalCommand):
    """`with LocalConsole({"MODERATOR_KAFKA__BOOTSTRAP_SERVERS": …}) as console: console.await_ready(30)`.

    It is ready when it serves pages, whether or not it has read anything yet.
    """

    command = "console"
    port_variable = "MODERATOR_CONSOLE__PORT"
    ready_path = "/healthz"

    @property
    def url(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.http_port}/"


def _other_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("MODERATOR_")}
    if (source := source_folder()) is None:
        return kept
    # it works in another folder, where a checkout that is not installed would not be found
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, [str(source), kept.get("PYTHONPATH")]))}
