"""A process that has imported and made what `moderator run` needs, and forks itself into the commands that it is sent.

`python -m tests.warm.server FD`: reads orders from the socket FD until its other end is closed. Each fork becomes a
child of the process at that end, with the order's own arguments, environment, folder, streams and session. Then it runs
as `python -m MODULE` does: what the interpreter does at the start and at the end is done here again.
"""

import atexit
import ctypes
import fcntl
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import cache
from typing import NamedTuple, NoReturn

import psutil
import typer.main

ORDER_BYTES = 1 << 18
PILED = "e\u0301\u0301"
"""A letter with more marks than one, for which every table of marks is needed."""
STREAMS = 3
MOST_FILES = STREAMS + 1
SET_PDEATHSIG = 1
PRELOADED = (
    "moderator.cli.app",
    "moderator.wiring.stream",
    "moderator.wiring.lines",
    "moderator.scoring.engine",
    "moderator.scoring.opening",
    "moderator.console.running",
)


class Order(NamedTuple):
    """A command `[python, "-m", module, ...]` to become."""

    command: list[str]
    environment: dict[str, str]
    folder: str
    is_session: bool
    passed: list[int]
    """The numbers of further open files, which it keeps."""
    has_warm_workers: bool


def main() -> None:
    link = socket.socket(fileno=int(sys.argv[1]))
    for module in PRELOADED:
        __import__(module)
    make_tables()
    assert psutil.Process().num_threads() == 1, "a fork would lack the other threads"
    gc.freeze()
    answer(link)


def make_tables() -> None:
    """Make the tables of characters and the command line, which are constants: half a second of CPU in each command."""
    # those who ask a server need none of it
    from moderator.cli.app import app  # noqa: PLC0415
    from moderator.demo.examples import example_policies  # noqa: PLC0415
    from moderator.policy import load_policies  # noqa: PLC0415
    from moderator.scoring.rendering.visible import visible  # noqa: PLC0415

    signals = load_policies(example_policies()).text_signals
    assert signals is not None
    signals.warm_up()
    visible(PILED)
    typer.main.get_command = cache(typer.main.get_command)
    typer.main.get_command(app)


def fork_server() -> socket.socket:
    """Fork a server for the process that calls this, which has one thread; give the other end of its socket.

    It ends with that process.
    """
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1):  # they are its caller's connection
            os.dup2(nothing, stream)
        os.close(nothing)
        answer(its)
    its.close()
    return ours


def answer(link: socket.socket) -> NoReturn:
    """Fork for each order until the other end is closed; a fork becomes what was ordered, and ends."""
    order = serve(link)
    end(run(order.command[2]) if order else 0)


def serve(link: socket.socket) -> Order | None:
    """Fork for each order; give it in the fork, and None here when the other end is closed."""
    parent = os.getppid()
    at_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    while True:
        message, files, _, _ = socket.recv_fds(link, ORDER_BYTES, MOST_FILES)
        if not message:
            return None
        between = os.fork()
        if between == 0:
            if os.fork() == 0:
                order = Order(*json.loads(message))
                signal.signal(signal.SIGINT, at_interrupt)
                become(order, parent)
                link.send(b"%d" % os.getpid())
                link.close()
                take_files(order, files)
                if order.has_warm_workers:
                    start_workers_warm()
                return order
            os._exit(0)
        for each in files:
            os.close(each)
        os.waitpid(between, 0)


def become(order: Order, parent: int) -> None:
    """Do what the kernel and the interpreter do for a new process."""
    while os.getppid() != parent:  # the process between us has not ended yet
        time.sleep(0.001)
    ctypes.CDLL(None).prctl(SET_PDEATHSIG, signal.SIGKILL)
    if order.is_session:
        os.setsid()
    os.environ.clear()
    os.environ.update(order.environment)
    os.chdir(order.folder)
    sys.path[0] = order.folder
    sys.argv = ["-m", *order.command[3:]]
    sys.orig_argv = order.command


def take_files(order: Order, files: list[int]) -> None:
    """Give the streams, and what is passed besides, the numbers that they have for who ordered."""
    numbers = [*range(STREAMS), *order.passed]
    above = 1 + max(numbers)
    kept = [fcntl.fcntl(each, fcntl.F_DUPFD, above) for each in files]
    for each in files:
        os.close(each)
    for number, each in zip(numbers, kept, strict=True):
        os.dup2(each, number)
        os.close(each)


def start_workers_warm() -> None:
    """Fork a server for what this process starts itself, while it has one thread."""
    from tests.warm.process import WorkerPopen, use_server  # noqa: PLC0415 - few that are forked start others

    use_server(fork_server())
    subprocess.Popen = WorkerPopen  # type: ignore[misc]


def run(module: str) -> int:
    """Give the exit code; print what nobody catches."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, int):
            return ended.code
        if ended.code is not None:
            print(ended.code, file=sys.stderr)
        return int(ended.code is not None)
    except Exception:  # noqa: BLE001 - this is where the interpreter would print it
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def end(code: int) -> NoReturn:
    """End as the interpreter does, but leave the freeing of torch's million objects to the kernel."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
