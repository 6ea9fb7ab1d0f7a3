"""The stream over files and pipes: one event a line in, decisions and dead letters as lines out.

The ports are the same as Kafka's, so the same pipeline runs on both.
"""

import select
from io import RawIOBase
from typing import BinaryIO

import orjson

from moderator.events import (
    DeadLetter,
    DecidedSpan,
    EncodedDecision,
    Partition,
    PartitionSpan,
    PolledSpan,
    Published,
    Record,
)

CHUNK_BYTES = 256 * 1024


class JsonLinesSource:
    """Lines of a file as records of one partition: offset = line number from 0.

    Args:
        raw: an unbuffered file, pipe or terminal; `close` closes it.
        name: the topic that records name: the file's base name, or `-`.
        max_event_bytes: of a longer line only this many bytes and one more are kept; it is a dead letter, too large.
    """

    def __init__(self, raw: RawIOBase, name: str, max_event_bytes: int) -> None:
        self._raw = raw
        self._partition = Partition(name, 0)
        self._kept_bytes = max_event_bytes + 1
        self._offset = 0
        self._unfinished = b""
        self._is_exhausted = False
        self._is_paused = False

    @property
    def is_exhausted(self) -> bool:
        """The end of the input was read."""
        return self._is_exhausted

    def poll(self, timeout_ms: int) -> list[PolledSpan]:
        """Give the lines that are there, waiting at most `timeout_ms` for a pipe; blank lines are skipped."""
        if self._is_paused or self._is_exhausted or not select.select([self._raw], [], [], timeout_ms / 1000)[0]:
            return []
        records = [self._record(line, offset) for offset, line in self._numbered_lines() if self._counts(line)]
        return [PartitionSpan(self._partition, 1, self._offset, records)] if records else []

    def pause(self) -> None:
        """Give nothing more until `resume`."""
        self._is_paused = True

    def resume(self) -> None:
        """Undo `pause`."""
        self._is_paused = False

    def close(self) -> None:
        """Close the input."""
        self._raw.close()

    def _counts(self, line: bytes) -> bool:
        """Skip blank lines, but never a line of which a part was not kept."""
        return len(line) > self._kept_bytes or bool(line.strip())

    def _record(self, line: bytes, offset: int) -> Record:
        return Record(*self._partition, offset, None, None, line.rstrip(b"\r")[: self._kept_bytes])

    def _numbered_lines(self) -> list[tuple[int, bytes]]:
        chunk = self._raw.read(CHUNK_BYTES)
        self._is_exhausted = not chunk
        *lines, unfinished = (self._unfinished + (chunk or b"\n")).split(b"\n")
        # a line that never ends must not fill the memory; two bytes more than the limit tell `\r\n` from too large
        self._unfinished = unfinished[: self._kept_bytes + 1]
        numbered = list(enumerate(lines, self._offset))
        self._offset += len(lines)
        return numbered


class JsonLinesSink:
    """Writes decisions and dead letters at once and in input order."""

    def __init__(self, decisions: BinaryIO, dead_letters: BinaryIO) -> None:
        self._decisions = decisions
        self._dead_letters = dead_letters

    def publish(self, spans: list[DecidedSpan]) -> Published:
        """Write every outcome; nothing is ever left to retry."""
        for span in spans:
            for record, outcome in span.items:
                self._write(record, outcome)
        self._decisions.flush()
        self._dead_letters.flush()
        return Published(committed=spans, retry=[])

    def reject_oversized(self, record: Record, decision: EncodedDecision) -> None:
        """Accept any decision: a line has no limit."""

    def close(self) -> None:
        """Flush what is buffered; the caller closes the files that it opened."""
        self._decisions.flush()
        self._dead_letters.flush()

    def _write(self, record: Record, outcome: EncodedDecision | DeadLetter) -> None:
        if isinstance(outcome, DeadLetter):
            line = {"line": record.offset + 1, "reason": outcome.reason, "error": outcome.error}
            self._dead_letters.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        else:
            self._decisions.write(outcome.value + b"\n")
