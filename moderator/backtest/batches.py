"""Recorded decisions cut into batches that any process can read: ranges of a file, lines of a pipe, records."""

from collections.abc import Iterator, Sequence
from io import RawIOBase
from pathlib import Path
from typing import NamedTuple

from moderator.events import Record

RANGE_BYTES = 8 * 2**20
MAX_LINE_BYTES = 16 * 2**20
"""No decision is longer: an event has a megabyte at most."""


class FileRange(NamedTuple):
    """The lines of a file that start at byte `start` or after it, and before `end`."""

    path: str
    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes, for the progress shown."""
        return self.end - self.start

    def values(self) -> Iterator[bytes]:
        """Read the lines, blank ones too.

        Raises:
            OSError: the file cannot be read.
        """
        with Path(self.path).open("rb") as file:
            position = self.start
            if self.start:
                # the line that reaches into our range belongs to the range before it, unless it ends just there
                file.seek(self.start - 1)
                position += len(file.readline(self.size + 1)) - 1
            while position < self.end and (line := file.readline(MAX_LINE_BYTES)):
                position += len(line)
                yield line

    def place(self, index: int, line: int) -> str:  # noqa: ARG002 - a file's place is its line
        """Name one of the values; `line` counts from 1 over the whole file."""
        return f"`{self.path}` line {line}"


class Lines(NamedTuple):
    """Lines from a pipe."""

    name: str
    lines: Sequence[bytes]
    size: int

    def values(self) -> Iterator[bytes]:
        """Give the lines, blank ones too."""
        yield from self.lines

    def place(self, index: int, line: int) -> str:  # noqa: ARG002 - a pipe's place is its line
        """Name one of the values; `line` counts from 1 over all that came."""
        return f"{self.name} line {line}"


class Records(NamedTuple):
    """Records of decision topics."""

    records: Sequence[Record]

    @property
    def size(self) -> int:
        """Records, for the progress shown."""
        return len(self.records)

    def values(self) -> Iterator[bytes | None]:
        """Give the records' values."""
        for record in self.records:
            yield record.value

    def place(self, index: int, line: int) -> str:  # noqa: ARG002 - a record's place is its offset
        """Name one of the records."""
        record = self.records[index]
        return f"`{record.topic}` partition {record.partition} offset {record.offset}"


Batch = FileRange | Lines | Records


def ranges_of(path: Path, size_bytes: int, range_bytes: int = RANGE_BYTES) -> Iterator[FileRange]:
    """Cut a file of `size_bytes` into ranges; every line belongs to exactly one."""
    for start in range(0, size_bytes, range_bytes):
        yield FileRange(str(path), start, min(start + range_bytes, size_bytes))


def lines_of(raw: RawIOBase, name: str, chunk_bytes: int = RANGE_BYTES // 4) -> Iterator[Lines]:
    """Cut a pipe into batches of whole lines; the last one may lack its line end, and one that is too long is cut."""
    rest = b""
    while chunk := raw.read(chunk_bytes):
        cut = chunk.rfind(b"\n") + 1
        if cut:
            whole, rest = rest + chunk[:cut], chunk[cut:]
            # a carriage return alone ends no line
            yield Lines(name, whole[:-1].split(b"\n"), len(whole))
        elif len(rest) < MAX_LINE_BYTES:
            rest += chunk
        else:  # given in pieces as it is: a line may never end
            yield Lines(name, [rest], len(rest))
            rest = chunk
    if rest:
        yield Lines(name, [rest], len(rest))
