"""A command that other programs can call and that starts warm: a small script hands its call over to this process.

The call has the arguments, environment, folder and streams of the script, which ends with its exit code.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

from tests.warm.process import MODERATOR, WarmPopen
from tests.warm.server import ORDER_BYTES

STREAMS = (0, 1, 2)
SCRIPT = f"""#!{sys.executable} -IS
import json, os, socket, sys
call = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
    link.connect({{address!r}})
    socket.send_fds(link, [call], {STREAMS!r})
    os._exit(int(link.recv(4)))
"""


@contextmanager
def warm_command(folder: Path, name: str = "moderator", command: Sequence[str] = MODERATOR) -> Iterator[Path]:
    """Put `name`, which runs `command` with the arguments of each call, into a new folder below this one; give that."""
    programs = folder / "programs"
    programs.mkdir()
    address = str(folder / "calls")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as calls:
        calls.bind(address)
        calls.listen()
        Thread(target=_answer, args=(calls, command), daemon=True).start()
        script = programs / name
        script.write_text(SCRIPT.format(address=address), "utf-8")
        script.chmod(0o755)
        yield programs
        calls.shutdown(socket.SHUT_RDWR)


def _answer(calls: socket.socket, command: Sequence[str]) -> None:
    with suppress(OSError):  # shut down
        while True:
            call, _ = calls.accept()
            Thread(target=_run, args=(call, command), daemon=True).start()


def _run(call: socket.socket, command: Sequence[str]) -> None:
    with call:
        message, streams, _, _ = socket.recv_fds(call, ORDER_BYTES, len(STREAMS))
        arguments, environment, folder = json.loads(message)
        stdin, stdout, stderr = streams
        process = WarmPopen(
            [*command, *arguments], stdin=stdin, stdout=stdout, stderr=stderr, env=environment, cwd=folder
        )
        for stream in streams:
            os.close(stream)
        call.send(b"%d" % (process.wait() % 256))
