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
from typing import Any, NamedTuple

from moderator.demo.replica import LocalReplica
from moderator.supervisor.child import Child
from tests.warm.server import Order

ROOT = Path(__file__).parents[2]
MODERATOR = (sys.executable, "-m", "moderator")
TIMEOUT_S = 100
READ_AT_START = ("PYTHON", "LD_", "OMP_", "MKL_", "TORCH", "HF_")
# a path for modules that are imported already; a folder that torch looks up, and sets, when it first compiles
NOT_AT_START = ("PYTHONPATH", "TORCHINDUCTOR_CACHE_DIR")
SET_CHILD_SUBREAPER = 36
_ORDERING = Lock()


class Server(NamedTuple):
    """Our end of a server's socket, and the environment that it started with."""

    link: socket.socket
    at_start: Mapping[str, str]


_SERVER: list[Server] = []


class WarmPopen(subprocess.Popen[Any]):
    """`subprocess.Popen` for `[python, "-m", module, ...]`, with a warm start; it dies with this process."""

    def _execute_child(self, *given: Any) -> None:
        """Fork instead of executing; all before and after this is the library's."""
        named = inspect.signature(subprocess.Popen.__dict__["_execute_child"]).bind(self, *given).arguments
        command = [os.fspath(word) for word in named["args"]]
        environment = dict(os.environ if named["env"] is None else named["env"])
        folder = os.fspath(named["cwd"] or Path.cwd())
        order = Order(command, environment, folder, bool(named["start_new_session"]))
        ends = [named[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        self.pid = _fork(order, [number if end == -1 else end for number, end in enumerate(ends)])
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(named[name] for name in pipes))  # type: ignore[attr-defined]


class WarmChild(Child):
    """A `Child` with a warm start."""

    def __init__(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> None:
        with log.open("ab") as out:
            self._process = WarmPopen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=folder,
                start_new_session=True,
            )


class WarmReplica(LocalReplica):
    """A `moderator run` with a warm start."""

    def _start(self, command: Sequence[str]) -> Child:
        return WarmChild(command, log=self.log, env=self._environment, folder=self._folder)


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
        for name, value in order.environment.items():
            is_late = name.startswith(READ_AT_START) and name not in NOT_AT_START and value != server.at_start.get(name)
            assert not is_late, f"`{name}` is read when Python or torch starts: start this command cold"
        with _adopting():
            socket.send_fds(server.link, [json.dumps(order).encode()], streams)
            return int(server.link.recv(20))


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
