"""Standard streams, however a command was started: closed, full, or with nobody at the other end."""

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
"""What stands for standard input where a file is named."""


class _Answers(FileIO):
    """Stdout: when whoever read it has gone, as `head` does, the command ends in silence."""

    def write(self, part: "ReadableBuffer", /) -> int:
        try:
            return super().write(part)
        except OSError as error:
            # what is still buffered must not fail a second time, when the process ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if isinstance(error, BrokenPipeError):
                raise SystemExit(128 + signal.SIGPIPE) from None
            raise


class _Notes(FileIO):
    """Stderr: what cannot be told there is no reason to end otherwise."""

    def write(self, part: "ReadableBuffer", /) -> int:
        with contextlib.suppress(OSError):
            super().write(part)
        return memoryview(part).nbytes


def guard_streams() -> None:
    """Let neither stream's state become a traceback, or an exit code that is not the command's."""
    sys.stdout = _guarded(sys.stdout, _Answers)
    sys.stderr = _guarded(sys.stderr, _Notes)


def _guarded(stream: TextIO | None, kind: type[FileIO]) -> TextIO:
    if stream is None:  # started with `>&-`: what has nowhere to go goes nowhere
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
    """Give stderr for what counts: there, unlike with remarks, what cannot be written is an error."""
    is_guarded = isinstance(getattr(sys.stderr.buffer, "raw", None), _Notes)
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
    """Open standard input once more; closing what this gives leaves the original open.

    Raises:
        ConfigurationError: it is closed.
    """
    try:
        return FileIO(os.dup(sys.stdin.fileno()))
    except (AttributeError, OSError, ValueError) as error:  # sys.stdin is None, or closed
        raise ConfigurationError("there is no standard input to read: name a file") from error
