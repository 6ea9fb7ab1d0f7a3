"""Files made from the code are up to date, and say what the code does."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from moderator.events import DeadLetter
from moderator.stream.codec import decode
from moderator.stream.dead_letter import OWN
from moderator.stream.kafka.producing.dead_letters import dead_letter_record
from tests.builders import a_record
from tests.generate import ROOT, SCHEMAS, asyncapi, chat_event_schema, decision_schema, stale_files

DECISION: dict[str, Any] = {
    "schema": "moderator.decision/1",
    "decision_id": "mod_6f1c",
    "decided_at": "2026-10-05T12:00:00.412Z",
    "event": {
        "id": "evt-1",
        "conversation_id": "c-9",
        "tenant": "acme",
        "channel": "general",
        "locale": "en-GB",
        "user": None,
        "role": "member",
        "speaker": "assistant",
        "time": "2026-10-05T12:00:00Z",
        "content_sha256": "ab",
        "topic": "chat.events",
        "partition": 3,
        "offset": 991,
        "timestamp": 1_790_000_000_000,
        "metadata": {"surface": "web"},
    },
    "verdict": "flag",
    "status": "scored",
    "severity": "high",
    "reasons": ["unsafe_content"],
    "labels": [],
    "rules": [
        {
            "rule": "chat-safety/unsafe-reply",
            "outcome": "matched",
            "counted": True,
            "mode": "live",
            "severity": "high",
            "conditions": [
                {
                    "part": "when",
                    "signal": "safety",
                    "phrase": "below 0.30",
                    "score": 0.21,
                    "holds": True,
                    "margin": 0.09,
                    "borderline": False,
                }
            ],
        }
    ],
    "shadow_verdict": "flag",
    "scores": {"signals": {"safety": 0.21}, "objectives": {"beavertails-is_safe": None}, "overall": 0.083},
    "explanation": [
        {"objective": "beavertails-is_safe", "reward": 0.21, "weight": -0.147, "contribution": -0.031},
        {"objective": "others", "contribution": 0.114},
    ],
    "policy": {"snapshot": "sha256:4c91", "format": 1, "calibration": None},
    "model": {"name": "ArmoRM-Llama3-8B-v0.1", "fingerprint": "sha256:ab", "dtype": "bfloat16"},
    "framing": "reply/2",
    "truncated": False,
    "skipped_parts": 0,
    "cached": False,
    "error": None,
    "timing_ms": {"queued": 12.0, "scored": 31.5, "total": 48.2},
}

EVENTS: list[dict[str, Any]] = [
    {"text": "hello"},
    {"text": "hello", "messages": None, "unknown": 1},
    {"prompt": "hello", "response": "hi", "id": 7, "time": 1_790_000_000.5},
    {"messages": [{"role": "tool", "content": [{"type": "image_url"}, {"type": "text", "text": "hi"}]}]},
    {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "video", "text": 7},
                    {"type": "refusal", "refusal": "no"},
                    {"type": "text", "text": "hi"},
                ],
            }
        ]
    },
    {"messages": [{"role": "user", "content": "hi"}], "metadata": {"surface": "web", "n": 3}, "tenant": None},
]

NO_EVENTS: list[dict[str, Any]] = [
    {},
    {"messages": []},
    {"text": None},
    {"text": 7},
    {"text": "hello", "prompt": "hello"},
    {"text": "hello", "response": "hi"},
    {"messages": [{"role": "user", "content": "hi"}], "response": "hi"},
    {"prompt": "hello"},
    {"prompt": "hello", "response": None},
    {"response": "hi"},
    {"text": "hello", "id": 1.5},
    {"text": "hello", "tenant": "x" * 257},
    {"messages": [{"role": "robot", "content": "hi"}]},
    {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
    {"messages": [{"role": "user", "content": [{"type": "input_text", "text": 7}]}]},
    {"messages": [{"role": "user", "content": [{"type": "refusal", "text": "no"}, {"type": "text", "text": "hi"}]}]},
    {"messages": [{"role": "user", "content": [{"type": "refusal", "text": 7}, {"text": "hi"}]}]},
]


def _is_valid(content: object, schema: dict[str, Any]) -> bool:
    return jsonschema.Draft202012Validator(schema).is_valid(content)


def _is_read(event: dict[str, Any]) -> bool:
    return not isinstance(decode(a_record(json.dumps(event).encode()), 2**20), DeadLetter)


def test_no_generated_file_is_stale() -> None:
    assert list(stale_files()) == [], "run `make generate`"


@pytest.mark.parametrize("schema", [chat_event_schema(), decision_schema()])
def test_schemas_are_schemas(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("event", EVENTS)
def test_the_schema_takes_events_that_are_read(event: dict[str, Any]) -> None:
    assert _is_valid(event, chat_event_schema())
    assert _is_read(event)


@pytest.mark.parametrize("event", NO_EVENTS)
def test_the_schema_refuses_events_that_become_dead_letters(event: dict[str, Any]) -> None:
    assert not _is_valid(event, chat_event_schema())
    assert not _is_read(event)


def test_the_schema_takes_a_decision_of_the_public_shape() -> None:
    jsonschema.Draft202012Validator(decision_schema()).validate(DECISION)


@pytest.mark.parametrize("field", list(DECISION))
def test_every_field_of_a_decision_is_required(field: str) -> None:
    without = {name: value for name, value in DECISION.items() if name != field}

    assert not _is_valid(without, decision_schema())


def test_every_reference_in_the_topics_document_leads_somewhere() -> None:
    document = asyncapi()

    references = list(_references(document))

    assert len(references) > 10
    assert [each for each in references if not _leads_somewhere(each, document)] == []


def test_the_topics_document_lists_the_headers_of_a_dead_letter() -> None:
    record = a_record(None, headers=[("empty", None)])
    written = dead_letter_record(record, DeadLetter("bad_json", "no value"), "2026-10-05T12:00:00Z", 2**20)

    listed = asyncapi()["components"]["messages"]["DeadLetter"]["headers"]

    ours = {name for name, _ in written.headers if name.startswith("dlq.")}
    assert ours - set(listed["properties"]) == set()
    assert set(listed["required"]) <= ours
    assert set(listed["properties"]) == OWN


def _references(content: object) -> list[str]:
    if isinstance(content, list):
        return [found for each in content for found in _references(each)]
    if not isinstance(content, dict):
        return []
    own = [content["$ref"]] if "$ref" in content else []
    return own + [found for each in content.values() for found in _references(each)]


def _leads_somewhere(reference: str, document: dict[str, Any]) -> bool:
    if reference.startswith("./"):
        return (ROOT / SCHEMAS / Path(reference)).is_file()
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step, {})
    return bool(found)
