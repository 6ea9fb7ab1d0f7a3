"""The header by which a trace is passed on."""

import pytest

from moderator.observability.tracing.traceparent import Parent, replaced, sampled_parent

SAMPLED = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_sampled_span_is_found_among_the_headers() -> None:
    parent = sampled_parent([("content-type", b"application/json"), ("traceparent", SAMPLED)])

    assert parent == Parent(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7)


def test_a_later_version_may_say_more() -> None:
    assert sampled_parent([("traceparent", b"01" + SAMPLED[2:] + b"-more")]) is not None


@pytest.mark.parametrize(
    "content",
    [
        SAMPLED[:-2] + b"00",
        b"ff" + SAMPLED[2:],
        b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-" + b"0" * 16 + b"-01",
        SAMPLED.upper(),
        b"nonsense",
        b"",
        None,
    ],
)
def test_what_is_not_sampled_or_no_such_header_is_no_parent(content: bytes | None) -> None:
    assert sampled_parent([("traceparent", content)]) is None


def test_another_span_takes_the_sender_s_place_and_other_headers_stay() -> None:
    headers = replaced([("a", b"1"), ("traceparent", SAMPLED)], 0x4BF9, 0xF0)

    assert headers == [("a", b"1"), ("traceparent", b"00-" + b"0" * 28 + b"4bf9-" + b"0" * 14 + b"f0-01")]
