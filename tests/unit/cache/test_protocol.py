"""What is sent to Redis, and how its answers are read as they come."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderator.cache.protocol import Refusal, Reply, ReplyReader, SetCommand, get_command

ANSWERS: list[tuple[bytes, Reply]] = [
    (b"+OK\r\n", b"OK"),
    (b":3\r\n", b"3"),
    (b"$-1\r\n", None),
    (b"$0\r\n\r\n", b""),
    (b"$5\r\na\r\nb\x00\r\n", b"a\r\nb\x00"),
    (b"-MOVED 3999 127.0.0.1:6381\r\n", Refusal("MOVED 3999 127.0.0.1:6381")),
]


def read(count: int, *parts: bytes) -> list[Reply]:
    reader = ReplyReader(count)
    for part in parts:
        reader.feed(part)
    assert reader.is_complete
    return reader.replies


def test_commands_are_packed_as_redis_reads_them() -> None:
    assert get_command(b"k\r\n") == b"*2\r\n$3\r\nGET\r\n$3\r\nk\r\n\r\n"
    assert SetCommand(60)(b"k", b"") == b"*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n$2\r\nEX\r\n$2\r\n60\r\n"
    assert SetCommand(9, replaces=False)(b"k", b"v") == (
        b"*6\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nEX\r\n$1\r\n9\r\n$2\r\nNX\r\n"
    )


@given(st.lists(st.sampled_from(ANSWERS), min_size=1), st.lists(st.integers(0, 200)))
def test_answers_are_the_same_wherever_the_bytes_are_cut(answers: list[tuple[bytes, Reply]], cuts: list[int]) -> None:
    sent = b"".join(answer for answer, _ in answers)
    places = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    parts = [sent[first:last] for first, last in pairwise(places)]

    assert read(len(answers), *parts) == [reply for _, reply in answers]


def test_hundreds_of_equal_answers_in_a_row_are_as_many_answers() -> None:
    sent = b"+OK\r\n" * 300 + b"$-1\r\n" * 200 + b"-OOM no\r\n" + b"+OK\r\n" * 11

    assert read(512, sent[:1_001], sent[1_001:]) == [b"OK"] * 300 + [None] * 200 + [Refusal("OOM no")] + [b"OK"] * 11


@pytest.mark.parametrize("received", [b"HTTP/1.1 400\r\n", b"\xff", b"$x\r\n", b"*1\r\n", b"+OK\r\n+OK\r\n", b"\r\n"])
def test_what_is_not_redis_protocol_is_not_taken_for_an_answer(received: bytes) -> None:
    with pytest.raises(ValueError, match=r"protocol|invalid literal"):
        read(1, received)


@pytest.mark.parametrize(
    ("text", "code"), [("READONLY You can't", "READONLY"), ("hunter2 is wrong", "ERR"), ("Err no", "ERR"), ("", "ERR")]
)
def test_only_the_code_of_a_refusal_is_shown(text: str, code: str) -> None:
    assert Refusal(text).code == code
