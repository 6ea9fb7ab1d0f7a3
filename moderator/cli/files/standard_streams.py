"""Standard streams, however a command was started: closed, full, or with no reader."""

import contextlib
import io
import os
import signal
import sys
from io import FileIO
from typing import TYPE_CHECKING, BinaryIO, TextIO

from moderator.errors import ConfigurationError, reason_of

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDIN = "-"
"""Names standard input in place of a file."""


class _Stdout(FileIO):
    """When its reader closes it, as `head` does, the command ends without a message."""

    def write(self, part: "ReadableBuffer", /) -> int:
        try:
            return super().write(part)
        except OSError as error:
            # what is still buffered must not fail again when the process ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if isinstance(error, BrokenPipeError):
                raise SystemExit(128 + signal.SIGPIPE) from None
            raise


class _Stderr(FileIO):
    """A message that cannot be written there does not change how the command ends."""

    def write(self, part: "ReadableBuffer", /) -> int:
        with contextlib.suppress(OSError):
            super().write(part)
        return memoryview(part).nbytes


def guard_streams() -> None:
    """Keep the state of either stream from causing a traceback or changing the command's exit code."""
    sys.stdout = _guarded(sys.stdout, _Stdout)
    sys.stderr = _guarded(sys.stderr, _Stderr)


def _guarded(stream: TextIO | None, kind: type[FileIO]) -> TextIO:
    if stream is None:  # started with `>&-`: discard the output
        return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8", closefd=False)
    try:
        raw = kind(stream.fileno(), "w", closefd=False)
    except io.UnsupportedOperation:  # no file, but memory
        return stream
    is_prompt = bool(stream.line_buffering or getattr(stream, "write_through", False))
    # names in policies hold letters that the locale's encoding may lack
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=stream.encoding, errors="backslashreplace", line_buffering=is_prompt
    )


def stderr_for_output() -> BinaryIO:
    """Give stderr as an output: unlike for messages, a failed write is an error."""
    is_guarded = isinstance(getattr(sys.stderr.buffer, "raw", None), _Stderr)
    stream: TextIO = sys.__stderr__ if is_guarded and sys.__stderr__ else sys.stderr
    return stream.buffer


def open_input(file: str) -> FileIO:
    """Open a file, or standard input where `-` is named.

    Raises:
        ConfigurationError: it cannot be read.
    """
    if file == STDIN:
        return standard_input()
    try:
        return FileIO(file)
    except OSError as error:
        raise ConfigurationError(f"cannot read `{file}`: {reason_of(error)}") from error


def standard_input() -> FileIO:
    """Open standard input a second time; closing what this gives leaves the original open.

    Raises:
        ConfigurationError: it is closed.
    """
    try:
        return FileIO(os.dup(sys.stdin.fileno()))
    except (AttributeError, OSError, ValueError) as error:  # sys.stdin is None, or closed
        raise ConfigurationError("there is no standard input to read: name a file") from error
