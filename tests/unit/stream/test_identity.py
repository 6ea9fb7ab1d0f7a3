"""Under which name a sender finds a record that was rejected."""

import json
from typing import Any

import pytest

from moderator.events import DeadLetter, Record
from moderator.stream.identity import rejection_of

PLACE = (None, "chat.events/3/991")


def name_of(value: bytes | None, reason: Any = "bad_schema", **headers: bytes) -> tuple[str | None, str]:
    record = Record("chat.events", 3, 991, None, None, value, [*headers.items()])
    rejection = rejection_of(record, DeadLetter(reason, "why"))
    assert rejection.reason == reason
    return rejection.tenant, rejection.event_id


def test_it_is_that_of_its_decision_where_the_value_is_an_object() -> None:
    assert name_of(b'{"id": "evt-1", "tenant": "acme", "messages": []}') == ("acme", "evt-1")
    assert name_of(b'{"id": 7, "text": " "}', "no_text") == (None, "7")
    assert name_of(b'{"id": "evt-1", "tenant": ""}') == ("", "evt-1")
    assert name_of(b'\xef\xbb\xbf{"id": 1%b, "tenant": 5}' % (b"0" * 200)) == ("5", "1" + "0" * 200)
    assert name_of(b'\x00\x00\x00\x00\x07{"id": "evt-1", "text": "\\ud83d"}', "crashed_scorer") == (None, "evt-1")


def test_a_cloud_event_lends_its_id() -> None:
    structured = {"specversion": "1.0", "id": "evt-1", "data": {"tenant": "acme", "messages": []}}

    assert name_of(json.dumps(structured).encode()) == ("acme", "evt-1")
    assert name_of(json.dumps([structured]).encode()) == ("acme", "evt-1")
    assert name_of(json.dumps(structured | {"data": "text"}).encode()) == (None, "evt-1")
    assert name_of(b'{"tenant": "acme"}', ce_specversion=b"1.0", ce_id=b"evt-1") == ("acme", "evt-1")
    assert name_of(b"not JSON", "bad_json", ce_specversion=b"1.0", ce_id=b"evt-1") == (None, "evt-1")
    assert name_of(None, "bad_json", ce_specversion=b"1.0", ce_id=b"evt-1") == (None, "evt-1")


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"not JSON",
        b"\xff\xfe",
        b"[1]",
        b'"text"',
        b"null",
        b'{"text": ""}',
        b'{"id": ""}',
        b'{"id": null}',
        b'{"id": true}',
        b'{"id": 1.5}',
        b'{"id": ["evt-1"]}',
        b'{"id": "%b"}' % (b"x" * 257),
        b'{"id": 1%b}' % (b"0" * 256),
        b'{"id": "evt-1", "tenant": ["acme"]}',
        b'{"schema": {}, "payload": {"id": "evt-1"}}',
        b'{"a":' * 2_000,
    ],
)
def test_it_is_the_record_s_place_where_there_is_no_usable_name(value: bytes | None) -> None:
    assert name_of(value) == PLACE


def test_a_record_that_is_too_large_is_read_the_fast_way_only() -> None:
    text = b"x" * 2_000_000

    assert name_of(b'{"id": "evt-1", "text": "%b"}' % text, "too_large") == (None, "evt-1")
    assert name_of(b'{"id": "evt-1", "text": "\\ud83d%b"}' % text, "too_large") == PLACE


def test_a_name_that_is_a_whole_number_is_written_as_a_decision_would_write_it() -> None:
    assert name_of(b'{"id": 1e3, "tenant": 7.0}') == ("7", "1000")
