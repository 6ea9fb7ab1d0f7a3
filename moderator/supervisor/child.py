"""A child process: started, signalled, and killed by the kernel when its parent ends."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PARENT_DEATH = Path(__file__).with_name("parent_death.py")
_KILL_WAIT_S = 10.0
_CHECK_EVERY_S = 0.02
_SERVER_PORTS = range(15_000, 32_000)


class Child:
    """One command in a process group of its own, so that Ctrl-C reaches only us and we stop it in order.

    It is killed when the thread that started it ends, for whatever reason (see `parent_death.py`).
    """

    def __init__(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> None:
        """Start `command` in `folder` (ours by default); what it prints is appended to `log`."""
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                killed_with_parent(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=folder,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The command's process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Give the exit code (minus the signal's number when killed by one); None while it runs."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when the process has ended."""
        self._process.send_signal(number)

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the end and give the exit code; None when it still runs after `timeout_s`."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, timeout_s: float) -> None:
        """Ask it to end; kill it when it has not ended after `timeout_s`."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)  # a paused process does not handle SIGTERM
        if self.wait(timeout_s) is None:
            self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.signal(signal.SIGKILL)
        self._process.wait(_KILL_WAIT_S)

    def pause(self) -> None:
        """Stop its execution: its connections stay open and it does not answer."""
        self.signal(signal.SIGSTOP)
        _await_stopped(self.pid)

    def resume(self) -> None:
        """Continue its execution."""
        self.signal(signal.SIGCONT)


def _await_stopped(pid: int) -> None:
    """Wait until a child that was sent SIGSTOP has stopped or ended: before that its threads may go on.

    The signal stops them all only once one of them has the processor, which on busy cores takes a while.
    """
    with contextlib.suppress(ChildProcessError):  # it has ended, and somebody has waited for it
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


def killed_with_parent(command: Sequence[str]) -> list[str]:
    """Give the command that runs `command` and is killed when the thread that starts it ends."""
    return [sys.executable, "-I", str(_PARENT_DEATH), str(os.getpid()), *command]


def await_ready(child: Child, is_ready: Callable[[], bool], timeout_s: float) -> bool:
    """Check until `is_ready` gives true; false when the child has ended or `timeout_s` is over."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s and child.exit_code is None:
        if is_ready():
            return True
        time.sleep(_CHECK_EVERY_S)
    return False


def free_ports(count: int) -> list[int]:
    """Give `count` different ports of the loopback interface that no process listens on, nor was given before.

    A server may listen there, and again after it was stopped: it must share the address (SO_REUSEADDR), as most do.

    They are below those that the kernel gives to outgoing connections: a client that connects to a stopped server's
    port from that same port would connect to itself, and the server could not start again.
    """
    ports: set[int] = set()
    while len(ports) < count:
        port = random.choice(_SERVER_PORTS)
        if _keep(port):
            ports.add(port)
    return list(ports)


def is_open(port: int) -> bool:
    """Check whether a process accepts connections at a port of the loopback interface."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def last_lines(log: Path, count: int = 5) -> str:
    """Give the end of a log as one line, for an error's text."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return " | ".join(lines[-count:]) or "no output"


def _keep(port: int) -> bool:
    """Bind to a port without listening, until this process ends; false where another socket has it."""
    ours = socket.socket()
    try:
        ours.bind(("127.0.0.1", port))
    except OSError:
        ours.close()
        return False
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # from now on servers may, those who look as we did not
    ours.detach()  # nobody closes it
    return True
