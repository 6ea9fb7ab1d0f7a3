"""The names and shapes of a checkpoint's tensors, from the headers of its safetensors files: no torch, no weights."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_LENGTH: Final = struct.Struct("<Q")
_MOST_BYTES: Final = 100_000_000
"""The format's own limit for a header."""


def tensor_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Read the shape of every tensor; files that cannot be read are left out, because loading names what is wrong."""
    return {name: shape for file in sorted(folder.glob("*.safetensors")) for name, shape in _shapes(file).items()}


def _shapes(file: Path) -> Mapping[str, tuple[int, ...]]:
    try:
        with file.open("rb") as stream:
            (length,) = _LENGTH.unpack(stream.read(_LENGTH.size))
            header = json.loads(stream.read(min(length, _MOST_BYTES)))
        return {name: tuple(each["shape"]) for name, each in header.items() if name != "__metadata__"}
    except (OSError, ValueError, struct.error, AttributeError, KeyError, TypeError):
        return {}
