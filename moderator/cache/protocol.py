"""The two commands of the caches as Redis reads them, and its answers. Pure.

Redis' client packs and reads each command by itself, at ten times the cost: a fifth of the stream's time.
"""

import re
from typing import Final, NamedTuple

ASKING: Final = b"*1\r\n$6\r\nASKING\r\n"
"""Comes before a command that a cluster's node has sent to another one with ASK."""
_END: Final = b"\r\n"
_KINDS: Final = frozenset(b"+-:$")
_RUN: Final = re.compile(rb"(?:\+OK\r\n)+|(?:\$-1\r\n)+")
"""Answers to writes, or to reads of keys that are not there: hundreds of them in a row, and nothing else."""
_RUN_ANSWER_BYTES: Final = 5


class Refusal(NamedTuple):
    """An error that Redis answered, such as `READONLY You can't write against a read only replica`."""

    text: str

    @property
    def code(self) -> str:
        """The first word if it is a code: the rest may quote what Redis was sent."""
        word = self.text.partition(" ")[0]
        return word if word.isalpha() and word.isupper() else "ERR"


Reply = bytes | Refusal | None


def get_command(key: bytes) -> bytes:
    """Read one key."""
    return b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key)


class SetCommand:
    """Writes one key and lets it expire.

    Args:
        ttl_s: when.
        replaces: otherwise it is written only where there is none, and the answer is None where there is one.
    """

    def __init__(self, ttl_s: int, *, replaces: bool = True) -> None:
        seconds = b"%d" % ttl_s
        self._head = b"*%d\r\n$3\r\nSET\r\n$" % (5 if replaces else 6)
        expiry = b"$2\r\nEX\r\n$%d\r\n%b\r\n" % (len(seconds), seconds)
        self._tail = expiry if replaces else expiry + b"$2\r\nNX\r\n"

    def __call__(self, key: bytes, value: bytes) -> bytes:
        """Pack the command."""
        return b"%b%d\r\n%b\r\n$%d\r\n%b\r\n%b" % (self._head, len(key), key, len(value), value, self._tail)


class ReplyReader:
    """Reads the answers to a number of commands, in their order, from bytes as they come."""

    def __init__(self, count: int) -> None:
        self.replies: list[Reply] = []
        self._count = count
        self._rest = b""

    @property
    def is_complete(self) -> bool:
        """All answers were read."""
        return len(self.replies) == self._count

    def feed(self, received: bytes) -> None:
        """Read on.

        Raises:
            ValueError: this is not Redis' protocol, or there are more answers than commands.
        """
        data, position = self._rest + received, 0
        while not self.is_complete and (end := data.find(_END, position)) >= 0:
            if run := _RUN.match(data, position):
                position = self._take_run(run)
                continue
            text, after = data[position + 1 : end], end + 2
            if data[position] == ord("$") and text != b"-1":
                length = int(text)
                if len(data) < after + length + 2:
                    break
                self.replies.append(data[after : after + length])
                after += length + 2
            else:
                self.replies.append(_short_reply(data[position], text))
            position = after
        self._rest = data[position:]
        if self._rest and (self.is_complete or self._rest[0] not in _KINDS):
            raise ValueError("not Redis' protocol")

    def _take_run(self, run: re.Match[bytes]) -> int:
        """Take equal answers, as many as are missing; give where the next one begins."""
        start = run.start()
        count = min((run.end() - start) // _RUN_ANSWER_BYTES, self._count - len(self.replies))
        self.replies += [_short_reply(run[0][0], run[0][1:3])] * count
        return start + count * _RUN_ANSWER_BYTES


def _short_reply(kind: int, text: bytes) -> Reply:
    if kind == ord("-"):
        return Refusal(text.decode(errors="replace"))
    if kind not in _KINDS:
        raise ValueError("not Redis' protocol")
    return None if kind == ord("$") else text
