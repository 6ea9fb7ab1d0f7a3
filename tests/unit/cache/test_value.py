"""The stored form of scores: exact, and a miss when anything about it is odd."""

import itertools
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderator.cache.value import decode_scores, encode_scores
from moderator.events import Scores

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
SCORES = Scores((0.21, -2.6), (0.5, -0.147), truncated=False)


def _value(*numbers: float, version: int = 1, flags: int = 0) -> bytes:
    body = struct.pack(f">BB{len(numbers)}f", version, flags, *numbers)
    return body + zlib.crc32(body).to_bytes(4)


@given(st.lists(st.tuples(FLOATS, FLOATS), max_size=19), st.booleans())
def test_what_is_read_equals_what_was_written(pairs: list[tuple[float, float]], truncated: bool) -> None:  # noqa: FBT001
    scores = Scores(tuple(reward for reward, _ in pairs), tuple(weight for _, weight in pairs), truncated)

    again = decode_scores(encode_scores(scores), len(pairs))

    assert again == scores


def test_the_model_s_float32_numbers_come_back_bit_by_bit() -> None:
    rewards = np.random.default_rng(7).random(19, dtype=np.float32) / 3
    scores = Scores(tuple(rewards.tolist()), tuple((rewards * np.float32(0.1)).tolist()), truncated=True)

    again = decode_scores(encode_scores(scores), 19)

    assert again == scores
    assert again is not None
    assert again.overall == scores.overall


def test_the_layout_is_version_flags_rewards_weights_checksum() -> None:
    value = encode_scores(Scores((1.0,), (-2.0,), truncated=True))

    assert value[:10].hex() == "01" + "01" + "3f800000" + "c0000000"
    assert value[10:] == zlib.crc32(value[:10]).to_bytes(4)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        7,
        b"",
        b"\x01",
        encode_scores(SCORES)[:-1],
        encode_scores(SCORES) + b"\x00",
        encode_scores(Scores((1.0,), (1.0,), truncated=False)),
        _value(1, 2, 3, 4, version=2),
        _value(1, 2, 3, 4, flags=2),
        _value(1, float("nan"), 3, 4),
        _value(1, 2, 3, float("inf")),
    ],
)
def test_a_value_of_wrong_type_length_version_or_number_is_a_miss(value: object) -> None:
    assert decode_scores(value, 2) is None


def test_any_flipped_bit_is_a_miss() -> None:
    value = encode_scores(SCORES)
    places = itertools.product(range(len(value)), range(8))

    flipped = [bytes(byte ^ (at == place) << bit for at, byte in enumerate(value)) for place, bit in places]

    assert [decode_scores(each, 2) for each in flipped] == [None] * len(flipped)
