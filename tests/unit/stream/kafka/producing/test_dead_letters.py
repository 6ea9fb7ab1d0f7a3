"""Dead letters carry the original record and why it is there, whatever the client cannot write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatchBuilder

from moderator.events import DeadLetter
from moderator.stream.kafka.producing.dead_letters import dead_letter_record, size_bytes
from tests.builders import a_record

LETTER = DeadLetter("bad_json", "not JSON: expecting value at character 0")
AT = "2026-10-05T12:00:00.412Z"
ROOMY = 1_000_000


def test_the_original_is_untouched_and_the_reasons_follow() -> None:
    record = a_record(
        b"\xff{", key=b"c-9", partition=3, offset=991, headers=[("traceparent", b"00-ab"), ("x", b"\xfe")]
    )

    sent = dead_letter_record(record, LETTER, AT, ROOMY)

    assert (sent.key, sent.value) == (b"c-9", b"\xff{")
    assert sent.headers == [
        ("traceparent", b"00-ab"),
        ("x", b"\xfe"),
        ("dlq.reason", b"bad_json"),
        ("dlq.error", b"not JSON: expecting value at character 0"),
        ("dlq.topic", b"chat.events"),
        ("dlq.partition", b"3"),
        ("dlq.offset", b"991"),
        ("dlq.timestamp", b"1790000000000"),
        ("dlq.at", AT.encode()),
    ]


def test_a_null_value_with_a_key_stays_null() -> None:
    sent = dead_letter_record(a_record(None, key=b"k"), LETTER, AT, ROOMY)

    assert sent.value is None
    assert "dlq.null" not in dict(sent.headers)


def test_what_the_client_cannot_write_is_written_empty_and_named() -> None:
    record = a_record(None, key=None, headers=[("a", None), ("b", b"1"), ("c", None)])

    sent = dead_letter_record(record, LETTER, AT, ROOMY)

    assert (sent.key, sent.value) == (None, b"")
    assert sent.headers[:3] == [("a", b""), ("b", b"1"), ("c", b"")]
    assert dict(sent.headers)["dlq.null"] == b"value,header:a,header:c"


def test_a_dead_letter_that_dies_again_carries_the_new_reasons_alone() -> None:
    stale = [("dlq.reason", b"too_large"), ("dlq.null", b"value"), ("dlq.truncated", b"value"), ("dlq.error", None)]
    record = a_record(headers=[("x", b"1"), *stale])

    sent = dead_letter_record(record, LETTER, AT, ROOMY)

    names = [name for name, _ in sent.headers]
    assert len(names) == len(set(names))
    assert not {"dlq.null", "dlq.truncated"} & set(names)
    assert dict(sent.headers)["dlq.reason"] == b"bad_json"
    assert sent.headers[0] == ("x", b"1")


def test_an_unknown_time_is_written_empty() -> None:
    sent = dead_letter_record(a_record(timestamp_ms=None), LETTER, AT, ROOMY)

    assert dict(sent.headers)["dlq.timestamp"] == b""


@pytest.mark.parametrize(
    ("value", "header", "key", "cut"),
    [
        (b"v" * 5_000, b"h" * 10, b"k", b"value"),
        (b"v" * 5_000, b"h" * 5_000, b"k", b"value,headers"),
        (b"v" * 10, b"h" * 5_000, b"k" * 5_000, b"value,headers,key"),
    ],
)
def test_what_does_not_fit_is_cut_and_named(value: bytes, header: bytes, key: bytes, cut: bytes) -> None:
    sent = dead_letter_record(a_record(value, key=key, headers=[("x", header)]), LETTER, AT, 2_000)

    assert dict(sent.headers)["dlq.truncated"] == cut
    assert size_bytes(*sent) <= 2_000
    assert value.startswith(sent.value or b"")
    assert key.startswith(sent.key or b"")


def test_a_value_is_cut_before_the_headers_go() -> None:
    record = a_record(b"v" * 5_000, key=b"k", headers=[("x", b"1")])

    sent = dead_letter_record(record, LETTER, AT, 2_000)

    assert (sent.key, sent.headers[0]) == (b"k", ("x", b"1"))
    assert sent.value
    assert 2_000 - size_bytes(*sent) == len(",headers,key")  # room for the longest mark


@pytest.mark.parametrize(("value", "kept"), [(b"v" * 5_000, True), (b"v", True), (None, False)])
def test_headers_go_before_the_key_is_cut_and_make_room_for_the_value(value: bytes | None, *, kept: bool) -> None:
    record = a_record(value, key=b"k", headers=[("x", b"h" * 5_000)])

    sent = dead_letter_record(record, LETTER, AT, 2_000)

    assert (sent.key, bool(sent.value)) == (b"k", kept)
    assert sent.headers[0][0] == "dlq.reason"
    if value == b"v" * 5_000:
        assert 2_000 - size_bytes(*sent) == len(",key")  # room for the longest mark


def test_a_key_is_cut_last_and_no_more_than_it_must() -> None:
    sent = dead_letter_record(a_record(b"v", key=b"k" * 5_000), LETTER, AT, 2_000)

    assert sent.value == b""
    assert sent.key
    assert size_bytes(*sent) == 2_000


@pytest.mark.parametrize(("missing_bytes", "cut"), [(0, b"value"), (1, b"value,headers")])
def test_a_value_may_be_cut_to_nothing_for_the_headers(missing_bytes: int, cut: bytes) -> None:
    record = a_record(b"v" * 100, key=b"k", headers=[("x", b"h" * 500)])
    whole = dead_letter_record(record, LETTER, AT, ROOMY)
    longest_mark = [*whole.headers, ("dlq.truncated", b"value,headers,key")]
    limit_bytes = size_bytes(b"k", b"", longest_mark) - missing_bytes

    sent = dead_letter_record(record, LETTER, AT, limit_bytes)

    assert dict(sent.headers)["dlq.truncated"] == cut


@pytest.mark.parametrize("key_bytes", [1, 500])
@pytest.mark.parametrize(("missing_bytes", "cut"), [(0, b"value,headers"), (1, b"value,headers,key")])
def test_a_value_may_be_cut_to_nothing_for_the_key(missing_bytes: int, cut: bytes, key_bytes: int) -> None:
    record = a_record(b"v" * 100, key=b"k" * key_bytes, headers=[("x", b"h" * 500)])
    reasons = dead_letter_record(record, LETTER, AT, ROOMY).headers[1:]
    limit_bytes = size_bytes(record.key, b"", [*reasons, ("dlq.truncated", b"value,headers,key")]) - missing_bytes

    sent = dead_letter_record(record, LETTER, AT, limit_bytes)

    assert dict(sent.headers)["dlq.truncated"] == cut
    assert len(sent.key or b"") == key_bytes - missing_bytes


def test_a_record_of_exactly_the_limit_is_sent_whole_and_one_byte_more_is_cut() -> None:
    record = a_record(b"v" * 100, key=b"k", headers=[("x", b"1")])
    whole = dead_letter_record(record, LETTER, AT, ROOMY)

    assert dead_letter_record(record, LETTER, AT, size_bytes(*whole)) == whole
    assert "dlq.truncated" in dict(dead_letter_record(record, LETTER, AT, size_bytes(*whole) - 1).headers)


def test_the_bound_of_a_size_is_what_the_client_counts_or_more() -> None:
    headers = [("x", b"1"), ("dlq.reason", b"bad_json")]

    counted = DefaultRecordBatchBuilder.estimate_size_in_bytes(b"k", b"v", headers)

    assert counted <= size_bytes(b"k", b"v", headers) <= counted + 100


@given(
    value=st.none() | st.binary(max_size=3_000),
    key=st.none() | st.binary(max_size=3_000),
    headers=st.lists(st.tuples(st.text(max_size=50), st.none() | st.binary(max_size=500)), max_size=8),
    limit_bytes=st.integers(1_000, 5_000),
)
def test_every_dead_letter_fits_and_can_be_written(
    value: bytes | None, key: bytes | None, headers: list[tuple[str, bytes | None]], limit_bytes: int
) -> None:
    sent = dead_letter_record(a_record(value, key=key, headers=headers), LETTER, AT, limit_bytes)

    assert size_bytes(*sent) <= limit_bytes
    assert sent.key is not None or sent.value is not None
    assert all(isinstance(content, bytes) for _, content in sent.headers)
    assert dict(sent.headers)["dlq.reason"] == b"bad_json"
