"""The sample events: every shape, ten malformed, and texts fit for a newcomer's first look."""

import json
from typing import Any

from moderator.demo.samples import MALFORMED_COUNT, Sample, sample_events
from moderator.events import DeadLetter, Record
from moderator.stream.codec import decode

_LANGUAGES = {"ar", "de", "el", "en", "es", "fr", "hi", "it", "ja", "ko", "nl", "pl", "pt", "ru", "sv", "tr", "zh"}


def test_there_are_a_few_hundred_events_and_exactly_ten_are_malformed() -> None:
    samples = sample_events()

    malformed = [sample for sample in samples if sample.event is None]

    assert 250 <= len(samples) <= 350
    assert len(malformed) == MALFORMED_COUNT == 10


def test_the_malformed_ones_have_different_kinds() -> None:
    malformed = [sample for sample in sample_events() if sample.event is None]

    letters = [decode(_record(sample), max_event_bytes=2**20) for sample in malformed]

    reported = [(letter.reason, letter.error) for letter in letters if isinstance(letter, DeadLetter)]
    assert len(set(reported)) == MALFORMED_COUNT - 1  # a blank text and a lone picture read alike: nothing to judge
    assert {reason for reason, _ in reported} == {"bad_json", "bad_schema", "no_text"}


def test_every_shape_of_an_event_occurs() -> None:
    bodies = [_body(sample) for sample in sample_events() if sample.event is not None]

    events = [body["data"] if "specversion" in body else body for body in bodies]

    assert any("specversion" in body for body in bodies)
    for shape in ("messages", "prompt", "text"):
        assert sum(shape in event for event in events) >= 20
    assert any(isinstance(event.get("tenant"), int) and isinstance(event.get("user"), int) for event in events)
    assert any("id" not in event for event in events)
    assert any(sample.event.skipped for sample in sample_events() if sample.event)
    assert any(sample.value.startswith(b"\xef\xbb\xbf") for sample in sample_events())
    assert any("\ufffd" in sample.text for sample in sample_events() if sample.event)


def test_many_languages_speakers_tenants_and_roles_occur() -> None:
    events = [sample.event for sample in sample_events() if sample.event is not None]

    assert {event.locale.split("-")[0] for event in events if event.locale} >= _LANGUAGES
    assert {event.speaker for event in events} >= {"user", "assistant", "tool"}
    assert {turn.role for event in events for turn in event.conversation} == {
        "system",
        "developer",
        "user",
        "assistant",
        "tool",
    }
    assert len({event.tenant for event in events}) >= 4
    assert {event.role for event in events} >= {"member", "guest", "moderator", "staff"}


def test_some_contents_come_again_so_that_the_cache_has_something_to_do() -> None:
    contents = [sample.event.conversation for sample in sample_events() if sample.event is not None]

    repeats = len(contents) - len(set(contents))

    assert repeats >= 10


def test_conversations_grow_turn_by_turn() -> None:
    contents = {sample.event.conversation for sample in sample_events() if sample.event is not None}

    grown = [content for content in contents if len(content) >= 3 and content[:-1] in contents]

    assert len(grown) >= 20


def test_the_key_is_the_conversation_id_where_there_is_one() -> None:
    for sample in sample_events():
        conversation_id = sample.event.conversation_id if sample.event else None

        assert sample.key == (conversation_id.encode() if conversation_id else None)


def test_given_ids_are_unique() -> None:
    ids = [_body(sample).get("id") for sample in sample_events() if sample.event is not None]

    given = [name for name in ids if name is not None]

    assert len(given) == len(set(given))


def _record(sample: Sample) -> Record:
    return Record("chat.events", 0, 0, timestamp_ms=None, key=sample.key, value=sample.value)


def _body(sample: Sample) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(sample.value.decode("utf-8-sig"))
    return body
