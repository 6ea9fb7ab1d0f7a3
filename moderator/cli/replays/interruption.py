"""Ctrl-C and SIGTERM for commands that finish the current step."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SIGNALLED = 128


class Interruption:
    """Says whether to end after the current step.

    Attributes:
        stop: set by the first signal; the second one ends the process at once.
        exit_code: 128 and the signal's number; None before the first.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.exit_code: int | None = None

    def on_signal(self, number: int, _: FrameType | None) -> None:
        """Note the signal."""
        self.exit_code = _SIGNALLED + number
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        self.stop.set()


@contextmanager
def interruption() -> Iterator[Interruption]:
    """Take the signals for the duration of a block."""
    taken = Interruption()
    before = {number: signal.signal(number, taken.on_signal) for number in _SIGNALS}
    try:
        yield taken
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
