"""Safetensors files of any size that take no space on the disk: all their numbers are zero."""

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path

_BYTES = {"F32": 4, "BF16": 2, "F16": 2}


def write_sparse(path: Path, shapes: Mapping[str, tuple[int, ...]], dtype: str = "BF16") -> None:
    """Write headers for tensors of these shapes, and a hole where their numbers would be."""
    header: dict[str, object] = {}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + prod(shape) * _BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
