"""Where labels go: what a place must do, and the file, in which each is on the disk before it counts as saved."""

import os
from pathlib import Path
from typing import Protocol

from moderator.errors import ConfigurationError, TransientError, reason_of
from moderator.labels.record import Label, encode_label


class LabelNotSavedError(TransientError):
    """A label could not be written; it may be tried again."""


class LabelSink(Protocol):
    """Where labels go."""

    def save(self, label: Label) -> None:
        """Write one label, and return when it is safe.

        Raises:
            LabelNotSavedError: it may not have arrived.
        """
        ...


class LabelFile:
    """`LabelSink` that appends to a file.

    Raises:
        ConfigurationError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("ab"):
                pass
        except OSError as error:
            raise ConfigurationError(f"cannot write labels to `{path}`: {reason_of(error)}") from error

    def save(self, label: Label) -> None:
        """Append one line and flush it to the disk."""
        try:
            with self.path.open("r+b") as file:
                end = file.seek(0, os.SEEK_END)
                if end and _last_byte(file.fileno(), end) != b"\n":  # a line that was cut must not run into this one
                    file.write(b"\n")
                file.write(encode_label(label) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise LabelNotSavedError(f"cannot write to `{self.path}`: {reason_of(error)}") from error

    def values(self) -> list[bytes]:
        """Give the lines that are there, blank ones left out.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        try:
            return [line for line in self.path.read_bytes().split(b"\n") if line.strip()]
        except OSError as error:
            raise ConfigurationError(f"cannot read labels from `{self.path}`: {reason_of(error)}") from error


def _last_byte(file: int, end: int) -> bytes:
    return os.pread(file, 1, end - 1)
