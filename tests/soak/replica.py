"""A `moderator run` that one kind of event kills without a Python error, as a fault in native code would."""

import os
import signal
import sys
from collections.abc import Sequence

from moderator.__main__ import main as moderator
from moderator.events import EventReading, Turn
from moderator.scoring.engine import Engine
from tests.soak.load import POISON

read = Engine.read


def read_or_die(self: Engine, conversations: Sequence[Sequence[Turn]]) -> list[EventReading]:
    if any(POISON in turn.content for conversation in conversations for turn in conversation):
        os.kill(os.getpid(), signal.SIGKILL)
    return read(self, conversations)


if __name__ == "__main__":
    Engine.read = read_or_die  # type: ignore[method-assign]
    sys.argv = ["moderator", "run"]
    moderator()
