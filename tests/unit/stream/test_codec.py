import json
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderator.events import ChatEvent, DeadLetter, DeadLetterReason
from moderator.stream.codec import ParsedEvent, decode, read_parsed
from moderator.stream.event_schema import ChatEventRecord
from moderator.stream.exact_json import loads_exactly
from tests.builders import a_record, an_event_json, shown

MAX_EVENT_BYTES = 2**20
SHAPES: list[dict[str, Any]] = [{"text": "hi"}, {"messages": [{"role": "user", "content": "hi"}]}]
"""The first is read by its schema; the second the quick way, where its fields are as plain."""


def read(value: bytes | None, **fields: Any) -> ChatEvent:
    event = decode(a_record(value, **fields), MAX_EVENT_BYTES)
    assert isinstance(event, ChatEvent), event
    return event


def refuse(value: bytes | None) -> DeadLetter:
    dead_letter = decode(a_record(value), MAX_EVENT_BYTES)
    assert isinstance(dead_letter, DeadLetter), dead_letter
    return dead_letter


def test_the_documented_example_is_read_whole() -> None:
    value = json.dumps(
        {
            "id": "evt-1",
            "conversation_id": "c-9",
            "tenant": "acme",
            "channel": "general",
            "locale": "en-GB",
            "user": "sha256:ab12",
            "role": "member",
            "time": "2026-10-05T12:00:00Z",
            "messages": [
                {"role": "user", "content": "How do I reset my password?"},
                {"role": "assistant", "content": "Open Settings, then Security."},
            ],
            "metadata": {"surface": "web"},
        }
    ).encode()

    event = read(value)

    assert event == ChatEvent(
        id="evt-1",
        conversation=(("user", "How do I reset my password?"), ("assistant", "Open Settings, then Security.")),  # type: ignore[arg-type]
        conversation_id="c-9",
        tenant="acme",
        channel="general",
        locale="en-GB",
        user="sha256:ab12",
        role="member",
        time="2026-10-05T12:00:00Z",
        metadata={"surface": "web"},
    )
    assert event.speaker == "assistant"


@pytest.mark.parametrize(
    ("fields", "conversation"),
    [
        ({"text": "hi"}, [("user", "hi")]),
        ({"prompt": "hi", "response": "hello"}, [("user", "hi"), ("assistant", "hello")]),
        ({"prompt": "", "response": "hello"}, [("user", ""), ("assistant", "hello")]),
        ({"text": "hi", "messages": None, "prompt": None}, [("user", "hi")]),
        (
            {"messages": [{"role": "developer", "content": "be kind"}, {"role": "tool", "content": "42"}]},
            [("developer", "be kind"), ("tool", "42")],
        ),
        (
            {"messages": [{"role": "assistant", "content": None, "tool_calls": []}, {"role": "tool", "content": "ok"}]},
            [("assistant", ""), ("tool", "ok")],
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": []}, {"role": "user", "content": "ok"}]},
            [("assistant", ""), ("user", "ok")],
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "a"},
                            {"type": "input_text", "text": "b"},
                            {"type": "output_text", "text": "c"},
                        ],
                    }
                ]
            },
            [("user", "a\nb\nc")],
        ),
    ],
)
def test_every_shape_of_content_is_read(fields: dict[str, Any], conversation: list[tuple[str, str]]) -> None:
    event = read(an_event_json(**fields))

    assert list(event.conversation) == conversation


def test_parts_without_text_are_left_out_and_counted() -> None:
    content = [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "look"}, {"type": "gif"}]

    event = read(an_event_json(messages=[{"role": "user", "content": content}]))

    assert event.conversation[-1].content == "look"
    assert event.skipped == {"image": 1, "other": 1}


@pytest.mark.parametrize("text", [7, ["x"], {}, True, None, "x"])
def test_what_a_part_holds_that_is_left_out_does_not_matter(text: object) -> None:
    content = [{"type": "video", "text": text}, {"type": "text", "text": "look"}]

    event = read(an_event_json(messages=[{"role": "user", "content": content}]))

    assert event.conversation[-1].content == "look"
    assert event.skipped == {"other": 1}


@pytest.mark.parametrize("kind", ["text", "refusal"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "a part of type `{kind}` has no `{kind}`"),
        (7, "`{kind}` of a part of type `{kind}` is not a string"),
        (["x"], "`{kind}` of a part of type `{kind}` is not a string"),
    ],
)
def test_a_part_without_a_string_is_named(kind: str, value: object, problem: str) -> None:
    dead_letter = refuse(an_event_json(messages=[{"role": "user", "content": [{"type": kind, kind: value}]}]))

    assert dead_letter == DeadLetter("bad_schema", f"`messages.content`: {problem.format(kind=kind)}")
    assert dead_letter.field == "messages"


@pytest.mark.parametrize(
    "value",
    [
        b'{"id": "1", "text": "hi"}',
        b'{"id": "1", "messages": [{"role": "user", "content": "hi"}], "metadata": {"n": 1.5}}',
        b'{"id": "1", "text": "hi", "metadata": {"n": 123456789012345678901234567890}}',
        b'{"id": "1", "text": 5}',
        b'{"id": "1", "text": " "}',
        b'{"messages": [{"role": "bot", "content": "hi"}]}',
    ],
)
def test_what_was_parsed_already_is_read_as_its_bytes_are(value: bytes) -> None:
    parsed = ParsedEvent(orjson.loads(value), lambda: loads_exactly(value), "")

    assert _whole(read_parsed(parsed, a_record(None))) == _whole(decode(a_record(value), MAX_EVENT_BYTES))


def _whole(read: ChatEvent | DeadLetter) -> object:
    return (read, read.field) if isinstance(read, DeadLetter) else read


@pytest.mark.parametrize("metadata", ['{"n": 1}', '{"n": 123456789012345678901234567890}'])
@pytest.mark.parametrize("shape", SHAPES, ids=["text", "messages"])
def test_what_was_parsed_already_and_has_no_id_gets_the_one_given(shape: dict[str, Any], metadata: str) -> None:
    value = an_event_json(**shape)[:-1] + f', "metadata": {metadata}}}'.encode()

    event = read_parsed(ParsedEvent(orjson.loads(value), lambda: loads_exactly(value), "given"), a_record(None))

    assert isinstance(event, ChatEvent)
    assert event.id == "given"


def test_a_prompt_and_its_response_are_a_users_and_an_assistants_turn() -> None:
    assert read(b'{"prompt": "Hi?", "response": "Hello."}').conversation == (("user", "Hi?"), ("assistant", "Hello."))


def test_a_text_is_a_users_turn() -> None:
    assert read(b'{"text": "Hi?"}').conversation == (("user", "Hi?"),)


@pytest.mark.parametrize("shape", SHAPES, ids=["text", "messages"])
@pytest.mark.parametrize("field", ["locale", "role", "time", "user", "channel"])
def test_every_field_of_text_is_kept_in_both_shapes(shape: dict[str, Any], field: str) -> None:
    assert getattr(read(an_event_json(**shape, **{field: "de"})), field) == "de"


@pytest.mark.parametrize("rest", [b"[" * 600 + b"]" * 600, b"[" + b"[]," * 2_000 + b"[]]"])
def test_brackets_that_are_not_nested_deeply_are_read(rest: bytes) -> None:
    assert read(b'\xef\xbb\xbf{"text": "a", "x": ' + rest + b"}").conversation == (("user", "a"),)


def test_headers_of_other_systems_change_nothing() -> None:
    assert read(an_event_json(id="1"), headers=[("traceparent", b"00-ab")]) == read(an_event_json(id="1"))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (b'{"text": "a", "prompt": "b", "response": "c"}', "given: `prompt` and `text`"),
        (b"{}", "given: none"),
    ],
)
def test_an_event_of_no_one_shape_names_those_that_it_has(value: bytes, problem: str) -> None:
    assert refuse(value).error == f"exactly one of `messages`, `prompt`, `text` is needed; {problem}"


@pytest.mark.parametrize("value", [b'{"prompt": "a"}', b'{"text": "a", "response": "b"}'])
def test_a_prompt_or_a_response_alone_is_refused(value: bytes) -> None:
    assert refuse(value) == DeadLetter("bad_schema", "`prompt` and `response` go together")


def test_a_problem_without_words_of_ours_has_those_of_the_schema() -> None:
    letter = refuse(b'{"messages": [{"role": "bot", "content": "a"}]}')

    assert letter.error.startswith("`messages.0.role`: input should be 'system', ")


def test_a_record_without_a_value_is_refused_as_such() -> None:
    assert refuse(None) == DeadLetter("bad_json", "the record has no value")


def test_without_an_id_the_event_is_named_after_its_place() -> None:
    event = read(an_event_json(), topic="chat.events", partition=3, offset=991)

    assert event.id == "chat.events/3/991"


@pytest.mark.parametrize("field", ["id", "user", "conversation_id", "tenant", "channel"])
@pytest.mark.parametrize("number", [0, -7, 2**53 + 1, 10**200])
def test_whole_numbers_of_any_size_are_taken_as_their_text(field: str, number: int) -> None:
    event = read(an_event_json(**{field: number}))

    assert getattr(event, field) == str(number)


@pytest.mark.parametrize("shape", SHAPES, ids=["text", "messages"])
@pytest.mark.parametrize("field", ["id", "user", "conversation_id", "tenant", "channel"])
def test_a_name_may_have_256_characters_or_digits(shape: dict[str, Any], field: str) -> None:
    longest, largest = "é" * 256, 10**255

    names = [getattr(read(an_event_json(**shape, **{field: value})), field) for value in (longest, largest)]

    assert names == [longest, str(largest)]


@pytest.mark.parametrize("shape", SHAPES, ids=["text", "messages"])
@pytest.mark.parametrize("field", ["id", "user", "conversation_id", "tenant", "channel"])
@pytest.mark.parametrize("value", [1.5, True, [], {}, "x" * 257, 10**256])
def test_names_of_another_type_or_too_long_are_bad_schema(shape: dict[str, Any], field: str, value: object) -> None:
    dead_letter = refuse(an_event_json(**shape, **{field: value}))

    assert dead_letter.reason == "bad_schema"
    assert f"`{field}`" in dead_letter.error
    assert dead_letter.field == field


@pytest.mark.parametrize("digits", [257, 513, 5_000, 100_000])
def test_a_number_with_too_many_digits_for_a_name_is_told_so(digits: int) -> None:
    dead_letter = refuse(b'{"text": "hi", "id": ' + b"9" * digits + b"}")

    assert dead_letter == DeadLetter("bad_schema", "`id`: more than 256 characters")


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (b'{"text": "cut', "not JSON: unterminated string starting at character 9"),
        (b'{"text": "a\nb"}', "not JSON: invalid control character at character 11"),
        (b'{"text": "\\q"}', r"not JSON: invalid \escape at character 10"),
        (b'{"text" 1}', "not JSON: expecting ':' delimiter at character 8"),
        (b'{"text": }', "not JSON: expecting value at character 9"),
        (b'{"text": NaN}', "not JSON: `NaN` is not a JSON value"),
        (b'{"text": "caf\xe9"}', "not UTF-8: byte 13 cannot be decoded"),
        (b'{"text": "a", "x": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "not JSON that can be read: nested too deeply"),
    ],
)
def test_what_is_not_json_is_told_in_one_sentence(value: bytes, error: str) -> None:
    assert refuse(value) == DeadLetter("bad_json", error)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "bad_json"),
        (b"", "bad_json"),
        (b"   ", "bad_json"),
        (b"{", "bad_json"),
        (b"\xff\xfe{\x00}\x00", "bad_json"),
        (b'{"text": "\xed\xa0\x80"}', "bad_json"),
        (b'{"text": "caf\xe9"}', "bad_json"),
        (b'{"text": NaN}', "bad_json"),
        (b'{"text": "a"} trailing', "bad_json"),
        (b'{"text": "line\nbreak"}', "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b'{"a":' * 100_000, "bad_json"),
        (b'{"text": "a", "x": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "bad_json"),
        (b'\xef\xbb\xbf{"text": "a", "x": ' + b"[" * 1_024 + b"]" * 1_024 + b"}", "bad_json"),
        (b"null", "bad_schema"),
        (b"[]", "bad_schema"),
        (b'"text"', "bad_schema"),
        (b"7", "bad_schema"),
        (b"{}", "bad_schema"),
        (b'{"messages": []}', "bad_schema"),
        (b'{"messages": {}}', "bad_schema"),
        (b'{"messages": [1]}', "bad_schema"),
        (b'{"messages": [{"content": "a"}]}', "bad_schema"),
        (b'{"messages": [{"role": "bot", "content": "a"}]}', "bad_schema"),
        (b'{"messages": [{"role": "Bot", "content": "a"}]}', "bad_schema"),
        (b'{"messages": [{"role": "assistant", "content": "a", "refusal": 5}]}', "bad_schema"),
        (b'{"messages": [{"role": "assistant", "content": "a", "reasoning_content": ["b"]}]}', "bad_schema"),
        (b'{"messages": [{"role": "assistant", "content": "a", "tool_calls": "b"}]}', "bad_schema"),
        (b'{"messages": [{"role": "assistant", "content": "a", "tool_calls": [{"function": 1}]}]}', "bad_schema"),
        (b'{"messages": [{"role": "assistant", "content": null, "tool_calls": [{"function": {}}]}]}', "no_text"),
        (b'{"messages": [{"role": "user", "content": 5}]}', "bad_schema"),
        (b'{"messages": [{"role": "user", "content": ["a"]}]}', "bad_schema"),
        (b'{"messages": [{"role": "user", "content": [{"text": "a"}]}]}', "bad_schema"),
        (b'{"messages": [{"role": "user", "content": [{"type": "text"}]}]}', "bad_schema"),
        (b'{"text": ["a"]}', "bad_schema"),
        (b'{"text": "a", "prompt": "b", "response": "c"}', "bad_schema"),
        (b'{"text": "a", "messages": [{"role": "user", "content": "a"}]}', "bad_schema"),
        (b'{"prompt": "a"}', "bad_schema"),
        (b'{"response": "a"}', "bad_schema"),
        (b'{"text": "a", "response": "b"}', "bad_schema"),
        (b'{"text": "a", "metadata": []}', "bad_schema"),
        (b'{"text": "a", "locale": 5}', "bad_schema"),
        (b'{"text": "a", "time": {}}', "bad_schema"),
        (b'{"specversion": "1.0", "id": "1", "data": "text"}', "bad_schema"),
        (b'{"specversion": "1.0", "id": "1", "data_base64": "!"}', "bad_schema"),
        (b'{"text": ""}', "no_text"),
        (b'{"text": " \\n\\t\\u00a0"}', "no_text"),
        (b'{"prompt": "a", "response": ""}', "no_text"),
        (b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": null}]}', "no_text"),
        (b'{"messages": [{"role": "user", "content": []}]}', "no_text"),
        (b'{"messages": [{"role": "user", "content": " "}]}', "no_text"),
        (b'{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}', "no_text"),
        (b'{"text": "' + b"a" * MAX_EVENT_BYTES + b'"}', "too_large"),
        (b"x" * (30 * 2**20), "too_large"),
    ],
    ids=lambda value: shown(value, 40) if isinstance(value, bytes) else str(value),
)
def test_what_cannot_be_judged_is_a_dead_letter_with_its_reason(value: bytes | None, reason: DeadLetterReason) -> None:
    assert refuse(value).reason == reason


@pytest.mark.parametrize(
    ("value", "content"),
    [
        (b'\xef\xbb\xbf{"text": "with a BOM"}', "with a BOM"),
        (b'{"text": "cut \\ud83d emoji"}', "cut \ufffd emoji"),
        (b'{"text": "\\ude00\\ud83d reversed"}', "\ufffd\ufffd reversed"),
        (b'{"text": "whole \\ud83d\\ude00, cut \\uD83D"}', "whole \U0001f600, cut \ufffd"),
        (b'{"text": "escaped \\\\ud83d stays, \\ud83d goes"}', "escaped \\ud83d stays, \ufffd goes"),
        (b'{"text": "NUL \\u0000 inside"}', "NUL \x00 inside"),
        (b'{"text": "first", "text": "last wins"}', "last wins"),
        (b'{"text": "unknown fields", "x": 1e999, "y": [[[]]]}', "unknown fields"),
        (b'\xef\xbb\xbf{"text": "[\\"[", "x": "' + b"[" * 5_000 + b'"}', '["['),
        (b'{"text": "huge number", "x": ' + b"9" * 10_000 + b"}", "huge number"),
    ],
)
def test_odd_but_readable_text_is_judged(value: bytes, content: str) -> None:
    assert read(value).conversation[-1].content == content


def test_a_cut_emoji_in_a_key_does_not_hide_the_event() -> None:
    event = read(b'{"text": "hi", "metadata": {"\\ud83d": "x"}}')

    assert event.metadata == {"\ufffd": "x"}


def test_a_text_of_200_kilobytes_and_one_of_400_turns_are_ordinary() -> None:
    long_text = read(an_event_json(text="word " * 40_000))
    many_turns = read(an_event_json(messages=[{"role": "user", "content": f"turn {n}"} for n in range(400)]))

    assert len(long_text.conversation[-1].content) == 200_000
    assert len(many_turns.conversation) == 400


def test_an_event_of_exactly_the_limit_is_judged_and_one_byte_more_is_too_large() -> None:
    largest = an_event_json(text="x" * (MAX_EVENT_BYTES - len(an_event_json(text=""))))

    assert len(largest) == MAX_EVENT_BYTES
    assert read(largest).id == "chat.events/0/0"
    assert refuse(largest + b" ").reason == "too_large"


def test_metadata_keeps_the_first_32_values_of_a_kind_that_is_kept() -> None:
    metadata: dict[str, object] = {
        "nothing": None,
        "list": [1],
        "object": {},
        "number": 1,
        **{f"key-{n}": "x" for n in range(40)},
    }

    event = read(an_event_json(metadata=metadata))

    assert list(event.metadata or {}) == ["number", *(f"key-{n}" for n in range(31))]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("9007199254740993", 9007199254740993),
        ("-9223372036854775808", -(2**63)),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", "18446744073709551616"),
        ("-9223372036854775809", "-9223372036854775809"),
        ("9" * 256, "9" * 256),
        ("9" * 257, None),
        ("2.5", 2.5),
        ("3.0", 3.0),
        ("1e300", 1e300),
        ("1e400", None),
        ("true", True),
        ("null", None),
    ],
)
def test_numbers_of_the_metadata_are_kept_exactly(sent: str, kept: object) -> None:
    shapes = (
        '{"messages": [{"role": "user", "content": "hi"}], "metadata": {"n": %s}}',
        '{"text": "hi", "metadata": {"n": %s}}',
    )

    for shape in shapes:
        found = (read((shape % sent).encode()).metadata or {}).get("n")
        assert (found, type(found)) == (kept, type(kept))


@pytest.mark.parametrize("time", ["2026-10-05T12:00:00Z", "yesterday", 1_790_000_000, 1.5])
def test_time_is_passed_through_as_given(time: object) -> None:
    assert read(an_event_json(time=time)).time == time


@pytest.mark.parametrize("time", [2**63 - 1, -(2**63)])
def test_a_time_of_64_bits_stays_a_whole_number(time: int) -> None:
    assert type(read(b'{"text": "hi", "time": %d}' % time).time) is int


@pytest.mark.parametrize("time", [2**63, 2**64, -(2**63) - 1])
def test_a_time_beyond_64_bits_becomes_the_nearest_float_on_either_way(time: int) -> None:
    quick = read(b'{"text": "hi", "time": %d}' % time)
    exact = read(b'{"text": "hi \\ud83d", "time": %d}' % time)

    assert (quick.time, exact.time) == (float(time), float(time))
    assert (type(quick.time), type(exact.time)) == (float, float)


def test_the_event_inside_a_structured_cloud_event_wins_over_its_envelope() -> None:
    envelope = {"specversion": "1.0", "id": "envelope", "time": "T1", "source": "/chat", "type": "chat.event"}

    own = read(json.dumps({**envelope, "data": {"text": "hi", "id": "own", "time": "T2"}}).encode())
    lent = read(json.dumps({**envelope, "data": {"text": "hi"}}).encode())

    assert (own.id, own.time) == ("own", "T2")
    assert (lent.id, lent.time) == ("envelope", "T1")


def test_base64_content_of_a_cloud_event_is_read() -> None:
    event = read(b'{"specversion": "1.0", "id": "e", "data_base64": "eyJ0ZXh0IjogImhpIn0="}')

    assert event.conversation[-1].content == "hi"


def test_content_that_is_not_base64_is_a_dead_letter_that_says_so() -> None:
    dead_letter = refuse(b'{"specversion": "1.0", "id": "e", "data_base64": "eyJ!"}')

    assert (dead_letter.reason, dead_letter.error) == ("bad_schema", "`data_base64` of the CloudEvent is not base64")


@pytest.mark.parametrize(
    "content",
    [{"text": "outer"}, {"prompt": "ask", "response": "outer"}, {"messages": [{"role": "user", "content": "outer"}]}],
)
def test_an_event_with_its_own_content_beside_empty_data_is_no_envelope(content: dict[str, Any]) -> None:
    event = read(json.dumps({"specversion": "1.0", "data": None, **content}).encode())

    assert event.conversation[-1].content == "outer"


def test_an_id_in_a_header_is_read_whatever_its_bytes() -> None:
    event = read(an_event_json(), headers=[("ce_specversion", b"1.0"), ("ce_id", b"caf\xe9")])

    assert event.id == "caf\ufffd"


def test_a_binary_cloud_event_lends_its_id_and_time() -> None:
    headers = [("ce_specversion", b"1.0"), ("ce_id", b"from-header"), ("ce_time", b"T1")]

    lent = read(an_event_json(), headers=headers)
    own = read(an_event_json(id="own"), headers=headers)

    assert (lent.id, lent.time) == ("from-header", "T1")
    assert (own.id, own.time) == ("own", "T1")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"messages": []}, "`messages`: is empty"),
        ({"messages": "hi"}, "`messages`: should be a list of objects"),
        ({"messages": ["hi"]}, "`messages.0`: should be an object"),
        ({"messages": [{"content": "hi"}]}, "`messages.0.role`: is missing"),
        ({"messages": [{"role": "user", "content": 5}]}, "`messages.0.content`: should be text or a list of parts"),
        ({"messages": [{"role": "user", "content": ["hi"]}]}, "`messages.0.content.0`: should be an object"),
        ({"messages": [{"role": "user", "content": [{"type": 5}]}]}, "`messages.0.content.0.type`: should be text"),
        ({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}, "`messages.0.content.0.type`: is missing"),
        ({"text": "hi", "id": 1.5}, "`id`: should be text or a whole number"),
        ({"text": "hi", "user": "x" * 257}, "`user`: more than 256 characters"),
        ({"text": "hi", "locale": 7}, "`locale`: should be text"),
        ({"text": "hi", "time": []}, "`time`: should be text or a number"),
        ({"text": "hi", "metadata": [1]}, "`metadata`: should be an object"),
        ({"specversion": "1.0", "id": "x", "data": None}, "`data` of the CloudEvent is not an object"),
    ],
)
def test_what_has_another_shape_is_told_in_plain_words(fields: dict[str, Any], error: str) -> None:
    letter = refuse(json.dumps(fields).encode())

    assert (letter.reason, letter.error) == ("bad_schema", error)


def test_errors_never_quote_what_was_sent() -> None:
    secret = "attack at dawn"

    for value in (
        f'{{"text": ["{secret}"]}}',
        f'{{"messages": [{{"role": "{secret}", "content": "x"}}]}}',
        f'{{"{secret}": 1}}',
        f'{{"text": "{secret}',
        f'{{"text": "x", "metadata": "{secret}"}}',
        f'{{"text": "x", "id": ["{secret}"]}}',
    ):
        assert secret not in refuse(value.encode()).error


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_decoder(value: bytes) -> None:
    assert isinstance(decode(a_record(value), MAX_EVENT_BYTES), ChatEvent | DeadLetter)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_subnormal=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["id", "messages", "prompt", "response", "text", "tenant", "time", "metadata", "data"]),
        json_values | st.just([{"role": "user", "content": "x"}]),
    )
)
def test_no_json_crashes_the_decoder(fields: dict[str, object]) -> None:
    value = json.dumps(fields).encode()

    assert isinstance(decode(a_record(value), MAX_EVENT_BYTES), ChatEvent | DeadLetter)


BOM = b"\xef\xbb\xbf"
odd_texts = st.sampled_from(["", " ", "x", "é" * 256, "é" * 257])
odd_values = st.none() | st.booleans() | st.integers() | odd_texts
plain_messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "tool"]), "content": odd_texts}),
    min_size=1,
    max_size=3,
)
odd_messages = st.lists(
    st.dictionaries(
        st.sampled_from(["role", "content", "name", "refusal", "reasoning", "tool_calls"]),
        odd_values | st.sampled_from(["user", "assistant", "tool"]),
    )
    | st.just({"role": "user", "content": "x"}),
    max_size=3,
)


NAMES = ("id", "tenant", "user", "locale", "role", "time")
few_keys = st.dictionaries(st.text(max_size=3), odd_values, max_size=5)
metadata = few_keys | st.integers(31, 35).map(lambda keys: {str(at): at for at in range(keys)})
plain_events = st.fixed_dictionaries(
    {"messages": plain_messages}, optional={**dict.fromkeys(NAMES, odd_texts), "metadata": metadata}
)
odd_events = st.fixed_dictionaries(
    {"messages": odd_messages | odd_values},
    optional={**dict.fromkeys((*NAMES, "text", "specversion"), odd_values), "metadata": odd_values | metadata},
)


@given(plain_events | odd_events)
def test_the_quick_way_to_read_an_event_agrees_with_its_schema(fields: dict[str, object]) -> None:
    value = json.dumps(fields).encode()

    quick, exact = (decode(a_record(each), MAX_EVENT_BYTES) for each in (value, BOM + value))

    assert quick == exact


IDENTIFIERS = ("id", "user", "conversation_id", "tenant", "channel")


@pytest.mark.parametrize(
    ("number", "text"), [("1.0", "1"), ("1e3", "1000"), ("-0.0", "0"), ("9007199254740991.0", "9007199254740991")]
)
def test_a_whole_number_is_a_name_however_it_is_written(number: str, text: str) -> None:
    fields = ", ".join(f'"{name}": {number}' for name in IDENTIFIERS)

    event = read(f'{{"text": "hi", {fields}}}'.encode())

    assert [getattr(event, name) for name in IDENTIFIERS] == [text] * len(IDENTIFIERS)


@pytest.mark.parametrize("number", ["1.5", "9007199254740992.0", "1e300", "1e999"])
def test_a_number_that_may_have_been_another_is_no_name(number: str) -> None:
    dead_letter = refuse(f'{{"text": "hi", "id": {number}}}'.encode())

    assert dead_letter.error == "`id`: should be text or a whole number"


@pytest.mark.parametrize(("role", "is_valid"), [("USER", True), ("Assistant", True), ("tool", True), ("king", False)])
def test_the_schema_takes_the_roles_that_are_read(role: str, is_valid: bool) -> None:  # noqa: FBT001
    event = {"messages": [{"role": role, "content": "hi"}]}

    assert jsonschema.Draft202012Validator(ChatEventRecord.model_json_schema()).is_valid(event) is is_valid
    assert isinstance(decode(a_record(json.dumps(event).encode()), 2**20), ChatEvent) is is_valid
