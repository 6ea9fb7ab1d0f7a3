"""How scores are stored: version, flags, k rewards, k weights in float32, CRC32; big endian. Pure.

The model's scores are float32 numbers, so a read value equals the computed one, bit by bit.
"""

import math
import struct
import zlib
from functools import lru_cache

from moderator.events import Scores

VERSION = 1
_TRUNCATED = 0x01
_HEAD_BYTES = 2
_CHECKSUM_BYTES = 4


@lru_cache
def _packed(numbers: int) -> struct.Struct:
    return struct.Struct(f">BB{numbers}f")


def encode_scores(scores: Scores) -> bytes:
    """Give the stored form of scores whose numbers fit float32."""
    numbers = scores.rewards + scores.weights
    body = _packed(len(numbers)).pack(VERSION, _TRUNCATED if scores.truncated else 0, *numbers)
    return body + zlib.crc32(body).to_bytes(_CHECKSUM_BYTES)


def decode_scores(value: object, objective_count: int) -> Scores | None:
    """Read scores of `objective_count` objectives; None for anything that `encode_scores` did not write."""
    length = _HEAD_BYTES + 2 * objective_count * 4 + _CHECKSUM_BYTES
    if not isinstance(value, bytes) or len(value) != length:
        return None
    body, checksum = value[:-_CHECKSUM_BYTES], value[-_CHECKSUM_BYTES:]
    version, flags, *numbers = _packed(2 * objective_count).unpack(body)
    if version != VERSION or flags & ~_TRUNCATED or zlib.crc32(body) != int.from_bytes(checksum):
        return None
    if not all(map(math.isfinite, numbers)):
        return None
    return Scores(tuple(numbers[:objective_count]), tuple(numbers[objective_count:]), truncated=bool(flags))
