"""The stream over files and pipes: one event a line in, decisions and dead letters as lines out.

The same ports as Kafka's, so the same pipeline runs on both.
"""

from collections.abc import Iterator
from typing import BinaryIO

import orjson

from moderator.events import DeadLetter, DecidedSpan, Decision, Partition, PolledBatch, Published, Record

LINES_PER_POLL = 500


class JsonLinesSource:
    """Lines of a file as records of one partition: offset = line number from 0.

    Args:
        lines: read line by line; a line over `max_event_bytes` is cut just above it and so judged too large.
        name: the topic that records name: the file's base name, or `-`.
    """

    def __init__(self, lines: BinaryIO, name: str, max_event_bytes: int) -> None:
        self._lines = lines
        self._partition = Partition(name, 0)
        self._limit_bytes = max_event_bytes + 1
        self._offset = 0
        self._is_exhausted = False
        self._is_paused = False

    @property
    def is_exhausted(self) -> bool:
        """The end of the input was read."""
        return self._is_exhausted

    def poll(self, timeout_ms: int) -> list[PolledBatch]:  # noqa: ARG002 - a file never makes us wait for its own sake
        """Read the next lines that hold anything; blocks while a pipe has nothing to give."""
        if self._is_paused or self._is_exhausted:
            return []
        records = list(self._records())
        return [PolledBatch(self._partition, 1, records, self._offset)] if records else []

    def pause(self) -> None:
        """Give nothing more until `resume`."""
        self._is_paused = True

    def resume(self) -> None:
        """Undo `pause`."""
        self._is_paused = False

    def close(self) -> None:
        """Close the input."""
        self._lines.close()

    def _records(self) -> Iterator[Record]:
        for _ in range(LINES_PER_POLL):
            line = self._read_line()
            if not line:
                self._is_exhausted = True
                return
            if line.strip():
                yield Record(*self._partition, self._offset, None, None, line.rstrip(b"\r\n"))
            self._offset += 1

    def _read_line(self) -> bytes:
        """Read one line, never holding more of it than the limit; empty at the end of the input."""
        line = self._lines.readline(self._limit_bytes)
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = self._lines.readline(self._limit_bytes)
        return line


class JsonLinesSink:
    """Writes decisions and dead letters as they come, each at once and in input order."""

    def __init__(self, decisions: BinaryIO, dead_letters: BinaryIO) -> None:
        self._decisions = decisions
        self._dead_letters = dead_letters

    def publish(self, spans: list[DecidedSpan]) -> Published:
        """Write every outcome; nothing is ever left."""
        for span in spans:
            for record, outcome in span.outcomes:
                self._write(record, outcome)
        self._decisions.flush()
        self._dead_letters.flush()
        return Published(committed=spans, left=[])

    def close(self) -> None:
        """Flush what is buffered; whoever opened the files closes them."""
        self._decisions.flush()
        self._dead_letters.flush()

    def _write(self, record: Record, outcome: Decision | DeadLetter) -> None:
        if isinstance(outcome, DeadLetter):
            line = {"line": record.offset + 1, "reason": outcome.reason, "error": outcome.error}
            self._dead_letters.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        else:
            self._decisions.write(orjson.dumps(outcome, option=orjson.OPT_APPEND_NEWLINE))
