"""What other producers send: read where the meaning is plain, else named so that it can be corrected."""

import gzip
import json
from typing import Any

import pytest

from moderator.events import ChatEvent, DeadLetter
from moderator.stream.cloud_events import odd_headers
from moderator.stream.codec import decode
from tests.builders import a_record, shown

EVENT = b'{"id": "e", "text": "hi"}'
ENVELOPE: dict[str, Any] = {"specversion": "1.0", "id": "envelope", "source": "/chat", "type": "chat.event"}


def decoded(value: bytes) -> ChatEvent | DeadLetter:
    return decode(a_record(value), 2**20)


def read(value: bytes) -> ChatEvent:
    event = decoded(value)
    assert isinstance(event, ChatEvent), event
    return event


@pytest.mark.parametrize("space", [b"", b" \r\n\t"])
def test_json_in_confluents_wire_format_is_read_after_five_bytes(space: bytes) -> None:
    assert read(b"\x00\x00\x00\x00\x2a" + space + EVENT) == read(EVENT)


def test_the_size_limit_counts_the_prefix_of_the_wire_format() -> None:
    value = b"\x00\x00\x00\x00\x2a" + EVENT

    assert decode(a_record(value), len(EVENT)) == DeadLetter(
        "too_large", f"the record has more than {len(EVENT)} bytes"
    )


@pytest.mark.parametrize(
    ("value", "reason", "error"),
    [
        (
            b"\x00\x00\x00\x00\x2a\x02\x06hi!",
            "bad_json",
            "looks like Avro or Protobuf in Confluent's wire format (schema id 42): send JSON",
        ),
        (gzip.compress(EVENT, mtime=0), "bad_json", "looks like gzip: send the JSON uncompressed, Kafka compresses it"),
        (b"\xac\xed\x00\x05t\x00\x02hi", "bad_json", "looks like Java serialisation: send JSON"),
        (EVENT.decode().encode("utf-16"), "bad_json", "looks like UTF-16: send UTF-8"),
        (EVENT.decode().encode("utf-16-le"), "bad_json", "looks like UTF-16: send UTF-8"),
        (EVENT.decode().encode("utf-16-be"), "bad_json", "looks like UTF-16: send UTF-8"),
        (
            b'{"schema": {"type": "struct"}, "payload": {"text": "hi"}}',
            "bad_schema",
            "Connect's envelope: set value.converter.schemas.enable=false",
        ),
        (json.dumps(EVENT.decode()).encode(), "bad_schema", "a JSON text inside a JSON text: it was encoded twice"),
        (b'"hello"', "bad_schema", "the record is JSON, but not an object"),
        (
            json.dumps([{**ENVELOPE, "data": {"text": "a"}}, {**ENVELOPE, "data": {"text": "b"}}]).encode(),
            "bad_schema",
            "a batch of CloudEvents: send one event in each record",
        ),
        (
            json.dumps({**ENVELOPE, "data": "hello"}).encode(),
            "bad_schema",
            "`data` of the CloudEvent is not an object",
        ),
        *(
            (
                json.dumps({**ENVELOPE, **two}).encode(),
                "bad_schema",
                "a CloudEvent has one content, in `data` or `data_base64`; given: "
                + " and ".join(f"`{name}`" for name in two),
            )
            for two in (
                {"data": {"text": "a"}, "text": "b"},
                {"data": {"text": "a"}, "messages": [{"role": "user", "content": "b"}]},
                {"data_base64": "e30=", "prompt": "b"},
                {"data": {"text": "a"}, "data_base64": "e30="},
            )
        ),
    ],
    ids=lambda value: shown(value, 30) if isinstance(value, bytes) else None,
)
def test_a_foreign_format_is_named_in_the_dead_letter(value: bytes, reason: str, error: str) -> None:
    assert decoded(value) == DeadLetter(reason, error)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [
        {"schema": "v2", "payload": 1, "text": "hi", "id": "e"},
        [{**ENVELOPE, "id": "e", "data": {"text": "hi"}}],
        {**ENVELOPE, "data": EVENT.decode()},
        {**ENVELOPE, "data": None, "id": "e", "text": "hi"},
        {"id": "e", "messages": [{"role": "USER", "content": "hi"}]},
    ],
)
def test_a_plain_meaning_is_read(value: Any) -> None:
    event = read(json.dumps(value).encode())

    assert (event.id, event.conversation) == ("e", (("user", "hi"),))


@pytest.mark.parametrize(
    ("name", "should_be"),
    [
        ("ce-id", "ce_id"),
        ("CE_id", "ce_id"),
        ("cloudEvents:id", "ce_id"),
        ("cloudEvents_id", "ce_id"),
        ("ce-specversion", "ce_specversion"),
        ("ce_id", "ce_id"),
        ("Ce-Time", "ce_time"),
    ],
)
def test_a_header_that_looks_like_cloud_events_and_is_not_read_is_found(name: str, should_be: str) -> None:
    assert odd_headers([("traceparent", b"x"), (name, b"1")]) == {name: should_be}


def test_no_header_is_odd_beside_ce_specversion() -> None:
    assert odd_headers([("ce_specversion", b"1.0"), ("ce-id", b"1"), ("place-id", b"2")]) == {}
    assert odd_headers([("ace-id", b"1"), ("ce-identity", b"1")]) == {}


@pytest.mark.parametrize(
    ("message", "text", "skipped"),
    [
        ({"content": None, "refusal": "I will not."}, "I will not.", None),
        ({"content": "Well.", "refusal": "I will not."}, "Well.\nI will not.", None),
        ({"content": [{"type": "refusal", "refusal": "No."}]}, "No.", None),
        ({"content": [{"type": "text", "text": "Well."}, {"type": "refusal", "refusal": "No."}]}, "Well.\nNo.", None),
        ({"content": "hi", "reasoning_content": "hm", "reasoning": ""}, "hi", {"reasoning": 1}),
        ({"content": [{"type": "thinking"}, {"type": "text", "text": "hi"}]}, "hi", {"reasoning": 1}),
        ({"content": "hi", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}] * 2}, "hi", {"tool_call": 2}),
        ({"content": "hi", "function_call": {"name": "f", "arguments": "{}"}}, "hi", {"tool_call": 1}),
        (
            {
                "content": [{"type": kind} for kind in ("image_url", "input_audio", "file", "gif")]
                + [{"type": "text", "text": "hi"}]
            },
            "hi",
            {"image": 1, "audio": 1, "file": 1, "other": 1},
        ),
    ],
)
def test_what_the_user_saw_is_judged_and_the_rest_is_counted(
    message: dict[str, Any], text: str, skipped: dict[str, int] | None
) -> None:
    event = read(json.dumps({"messages": [{"role": "assistant", **message}]}).encode())

    assert event.conversation[-1].content == text
    assert event.skipped == skipped


def test_what_is_skipped_is_counted_over_all_turns() -> None:
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [{}]},
        {"role": "tool", "content": "ok", "reasoning": "x"},
    ]

    assert read(json.dumps({"messages": messages}).encode()).skipped == {"tool_call": 1, "reasoning": 1}
