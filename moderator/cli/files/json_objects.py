"""Files of JSON: one object, or one a line."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import BinaryIO

from moderator.cli.files.standard_streams import open_input
from moderator.errors import ConfigurationError, reason_of


def read_objects(file: str) -> Iterator[tuple[str, bytes]]:
    """Give the place and the bytes of each JSON text: every line, or the whole file where it is one text.

    Raises:
        ConfigurationError: the file cannot be read, or is empty.
    """
    with _opened(file) as stream:
        lines = ((f"line {number}", line) for number, line in enumerate(stream, start=1) if line.strip())
        first = next(lines, None)
        if first is None:
            raise ConfigurationError(f"there is nothing in `{file}`")
        place, line = first
        if not _is_json(line) and _is_json(whole := line + stream.read()):
            line = whole
        yield place, line
        yield from lines


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    try:
        with BufferedReader(open_input(file)) as stream:
            yield stream
    except OSError as error:
        raise ConfigurationError(f"cannot read `{file}`: {reason_of(error)}") from error


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
