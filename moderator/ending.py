"""How `moderator run` and `moderator serve` end: what signals do, and the last line on stderr.

Imports only the standard library. The handlers are installed before anything else is imported: a signal must not be
lost while torch is imported, and never by PID 1, for which the kernel drops each signal that has no handler.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, Final, NoReturn

DRAINED: Final = "drained"
SECOND_SIGNAL: Final = "second_signal"
SIGNALLED: Final = 128
"""Is added to a signal's number to give the exit code."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
REPORTED_TO: Final = "_MODERATOR_ENDED_TO"
"""In the environment of a supervisor's worker: the descriptor of the pipe that also gets the event of its last line."""
ENDING_COMMANDS: Final = (["run"], ["serve"])
"""The first word of those that end so."""
_STDERR: Final = 2
_STARTED_S: Final = time.monotonic()
_REPORTED_CHARACTERS: Final = 4_000
"""A pipe that nobody reads yet holds so many, however they are escaped."""


class Signals:
    """The first signal drains, or ends the process at once while there is nothing to drain; the second ends it at once.

    Attributes:
        stop: set by the first signal.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._has_begun = False

    def handle(self) -> None:
        """Install the handlers; SIGHUP stays ignored where the parent asked for that, as `nohup` does."""
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def drain_from_now_on(self) -> None:
        """From now on events may be in flight, and the first signal lets them be published."""
        self._has_begun = True

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self.stop.is_set():
            end_by_second_signal(number)
        self.stop.set()
        if not self._has_begun:
            end(0, DRAINED)


SIGNALS_OF_RUN: Final = Signals()
"""Those of this process; only `moderator run` and `serve` handle them so."""


def end(code: int, reason: str, error: str | None = None) -> NoReturn:
    """Write the last line and end the process; whatever still runs in it is cut off.

    Args:
        code: the exit code.
        reason: one word for programs.
        error: what went wrong, for people; None: nothing.
    """
    uptime_s = round(time.monotonic() - _STARTED_S, 1)
    event = {"event": "ended", "code": code, "reason": reason, "error": error, "uptime_s": uptime_s}
    text = f"ended with exit code {code}, {reason}, after {uptime_s} s"
    _end(code, event, text if error is None else f"error: {error}\n{text}")


def end_by_second_signal(number: int) -> NoReturn:
    """End the process with 128 + `number`."""
    code = SIGNALLED + number
    event = {"event": "ended", "code": code, "reason": SECOND_SIGNAL}
    _end(code, event, f"ended with exit code {code}, by a second signal")


def _end(code: int, event: dict[str, Any], text: str) -> NoReturn:
    _report(event)
    with contextlib.suppress(OSError):
        line = text if os.isatty(_STDERR) else json.dumps(event)
        _write_last(f"{line}\n".encode(errors="backslashreplace"))
    os._exit(code)


def _report(event: dict[str, Any]) -> None:
    error = event.get("error")
    short = {**event, "error": error and error[:_REPORTED_CHARACTERS]}
    with contextlib.suppress(KeyError, ValueError, OSError):  # nobody supervises this process, or not any more
        os.write(int(os.environ[REPORTED_TO]), json.dumps(short).encode())


def _write_last(line: bytes) -> None:
    """Write to stderr, and let what other threads still write go nowhere. Works within a signal's handler."""
    stderr = os.dup(_STDERR)
    os.dup2(os.open(os.devnull, os.O_WRONLY), _STDERR)
    while line:
        line = line[os.write(stderr, line) :]


def flush_outputs() -> None:
    """Write what is buffered; an output that cannot be written changes nothing any more."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, SystemExit):
            stream.flush()
