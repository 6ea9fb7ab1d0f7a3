"""Commands that start warm: forked in 0.1 s from a process that has imported torch, where a cold start takes 7 s.

With xdist the test processes start so as well (`tests.warm.worker`), so that torch is imported once for all of them.

A test sees no difference: it gets a child of its own process, with its own arguments, environment, folder, streams,
session, signals and exit code. Variables that are read when Python or torch starts cannot differ: start that cold.
"""

import ctypes
import inspect
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, NamedTuple

from moderator.demo.replica import LocalReplica
from moderator.supervisor.child import Child, killed_with_parent
from tests.warm.server import Order

ROOT = Path(__file__).parents[2]
MODERATOR = (sys.executable, "-m", "moderator")
TIMEOUT_S = 300
READ_AT_START = ("PYTHON", "LD_", "OMP_", "MKL_", "TORCH", "HF_")
# a path for modules that are imported already; a folder that torch looks up, and sets, when it first compiles
NOT_AT_START = ("PYTHONPATH", "TORCHINDUCTOR_CACHE_DIR")
SET_CHILD_SUBREAPER = 36
_ORDERING = Lock()
_EXECUTE = subprocess.Popen.__dict__["_execute_child"]
_EXECUTING = inspect.signature(_EXECUTE)


class Server(NamedTuple):
    """Our end of a server's socket, and the environment that it started with."""

    link: socket.socket
    at_start: Mapping[str, str]


_SERVER: list[Server] = []


class WarmPopen(subprocess.Popen[Any]):
    """`subprocess.Popen` for `[python, "-m", module, ...]`, with a warm start; it dies with this process."""

    has_warm_workers = False

    def _execute_child(self, *given: Any) -> None:
        """Fork instead of executing; all before and after this is the library's."""
        named = _EXECUTING.bind(self, *given).arguments
        command = [os.fspath(word) for word in named["args"]]
        environment = dict(os.environ if named["env"] is None else named["env"])
        folder = os.fspath(named["cwd"] or Path.cwd())
        passed = [int(number) for number in named["pass_fds"]]
        order = Order(command, environment, folder, bool(named["start_new_session"]), passed, self.has_warm_workers)
        ends = [named[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        self.pid = _fork(order, [*(number if end == -1 else end for number, end in enumerate(ends)), *passed])
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(named[name] for name in pipes))  # type: ignore[attr-defined]


class WarmParentPopen(WarmPopen):
    """A `moderator run --devices` whose workers start warm too."""

    has_warm_workers = True


class WorkerPopen(WarmPopen):
    """`subprocess.Popen` of a process with warm workers: they die with it without the script that sees to that.

    Workers that are given other numbers of threads start cold.
    """

    def _execute_child(self, *given: Any) -> None:
        named = _EXECUTING.bind(self, *given).arguments
        script = killed_with_parent(())
        if named["args"][: len(script)] == script and _read_late(named["env"], _server()) is None:
            named["args"] = named["args"][len(script) :]
            super()._execute_child(*list(named.values())[1:])
        else:
            _EXECUTE(self, *given)


class WarmChild(Child):
    """A `Child` with a warm start."""

    start: ClassVar[type[WarmPopen]] = WarmPopen

    def __init__(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> None:
        with log.open("ab") as out:
            self._process = self.start(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=folder,
                start_new_session=True,
            )


class WarmParentChild(WarmChild):
    """A `Child` that starts warm, as what it starts does."""

    start = WarmParentPopen


class WarmReplica(LocalReplica):
    """A `moderator run` with a warm start."""

    child: ClassVar[type[WarmChild]] = WarmChild

    def _start(self, command: Sequence[str]) -> Child:
        return self.child(command, log=self.log, env=self._environment, folder=self._folder)


class WarmParent(WarmReplica):
    """A `moderator run --devices` that starts warm, as its workers do."""

    child = WarmParentChild


def run_moderator(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Call `moderator` with a warm start, with no MODERATOR_ variable but the given ones."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MODERATOR_")}
    command, pipe = [*MODERATOR, *arguments], subprocess.PIPE
    with WarmPopen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env={**clean, **environment}, cwd=ROOT
    ) as process:
        try:
            out, err = process.communicate(stdin, TIMEOUT_S)
        finally:
            process.kill()  # where it took too long
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def use_server(link: socket.socket) -> None:
    """Have all that starts warm here forked by this server, whose environment is ours."""
    _SERVER.append(Server(link, dict(os.environ)))


def _fork(order: Order, streams: Sequence[int]) -> int:
    """Order a fork and give its process id."""
    with _ORDERING:
        server = _server()
        late = _read_late(order.environment, server)
        assert late is None, f"`{late}` is read when Python or torch starts: start this command cold"
        with _adopting():
            socket.send_fds(server.link, [json.dumps(order).encode()], streams)
            return int(server.link.recv(20))


def _read_late(environment: Mapping[str, str], server: Server) -> str | None:
    """Name a variable that the server would have had to start with."""
    of_start = (name for name in environment if name.startswith(READ_AT_START) and name not in NOT_AT_START)
    return next((name for name in of_start if environment[name] != server.at_start.get(name)), None)


@contextmanager
def _adopting() -> Iterator[None]:
    """Become the parent of what loses its own meanwhile."""
    prctl = ctypes.CDLL(None).prctl
    prctl(SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        prctl(SET_CHILD_SUBREAPER, 0)


def _server() -> Server:
    """Give this process's own server, started by the first order; it ends with us, as its end of the socket does."""
    if not _SERVER:
        _SERVER.append(_start_server())
    return _SERVER[0]


def _start_server() -> Server:
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    with its:
        subprocess.Popen(
            [sys.executable, "-m", "tests.warm.server", str(its.fileno())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environment,
            pass_fds=[its.fileno()],
        )
    return Server(ours, environment)
