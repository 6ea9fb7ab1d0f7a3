"""`POST /v1/decisions`: events in, decisions out."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.generate import decision_schema
from tests.servers.http_stage import FLAGGED, Stage, a_stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with a_stage(tmp_path, max_event_bytes=2_000) as stage:
        yield stage


def decide(stage: Stage, body: Any, **headers: str) -> Any:
    answer = stage.client.post("/v1/decisions", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_event_is_answered_with_its_decision(stage: Stage) -> None:
    decision = decide(stage, {"id": "evt-1", "tenant": "acme", "text": f"this is {FLAGGED}"})

    jsonschema.validate(decision, decision_schema())
    assert (decision["verdict"], decision["severity"], decision["reasons"]) == ("flag", "high", ["unsafe_content"])
    event = decision["event"]
    assert (event["id"], event["tenant"], event["speaker"]) == ("evt-1", "acme", "user")
    assert (event["topic"], event["partition"], event["offset"], event["timestamp"]) == ("http", 0, 0, None)


def test_the_answer_names_the_request_and_the_policies(stage: Stage) -> None:
    answer = stage.client.post("/v1/decisions", json={"text": "hello"}, headers={"x-request-id": "trace-7"})

    assert answer.headers["x-request-id"] == "trace-7"
    assert answer.headers["x-moderator-snapshot"] == answer.json()["policy"]["snapshot"]
    assert answer.json()["event"]["id"] == "http/trace-7/0"


def test_an_array_is_answered_in_its_order_with_an_error_where_an_event_cannot_be_judged(stage: Stage) -> None:
    body = [
        {"id": "a", "text": "fine"},
        {"id": "b", "text": " "},
        {"id": "c", "messages": [{"role": "king", "content": "x"}]},
        5,
        {"id": "d", "text": FLAGGED},
        {"id": "e", "text": "x" * 3_000},
        {"text": "last"},
    ]

    answers = decide(stage, body, **{"x-request-id": "r"})

    assert [answer.get("verdict") for answer in answers] == ["allow", None, None, None, "flag", None, "allow"]
    errors = [answer["error"] for answer in answers if "verdict" not in answer]
    assert [(error["code"], error["param"]) for error in errors] == [
        ("no_text", "[1]"),
        ("bad_schema", "[2].messages.0.role"),
        ("bad_schema", "[3]"),
        ("too_large", "[5]"),
    ]
    assert [answer["event"]["offset"] for answer in answers if "event" in answer] == [0, 4, 6]
    assert answers[6]["event"]["id"] == "http/r/6"


def test_an_empty_array_is_answered_with_one(stage: Stage) -> None:
    assert decide(stage, []) == []


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": FLAGGED}]},
        {"prompt": "Hi", "response": FLAGGED},
        {"specversion": "1.0", "id": "ce-1", "source": "/", "type": "t", "data": {"prompt": "Hi", "response": FLAGGED}},
    ],
)
def test_an_event_may_have_any_shape_of_the_streams(body: Any, stage: Stage) -> None:
    decision = decide(stage, body)

    assert (decision["verdict"], decision["event"]["speaker"]) == ("flag", "assistant")


def test_cloud_events_come_alone_or_in_a_batch(stage: Stage) -> None:
    event = {"specversion": "1.0", "id": "ce-1", "source": "/", "type": "t", "data": {"text": "Hi"}}

    alone = stage.client.post(
        "/v1/decisions", json=event, headers={"content-type": "application/cloudevents+json; charset=utf-8"}
    )
    batch = stage.client.post(
        "/v1/decisions", json=[event], headers={"content-type": "application/cloudevents-batch+json"}
    )

    assert alone.json()["event"]["id"] == "ce-1"
    assert [each["event"]["id"] for each in batch.json()] == ["ce-1"]


def test_ids_of_any_size_and_cut_emojis_are_read_as_the_stream_reads_them(stage: Stage) -> None:
    body = b'[{"id": 123456789012345678901234567890, "text": "cut \\ud83d"}, {"text": "other"}]'

    answer = stage.client.post("/v1/decisions", content=body, headers={"content-type": "application/json"})

    assert answer.json()[0]["event"]["id"] == "123456789012345678901234567890"


def test_an_event_asked_about_twice_is_scored_once(stage: Stage) -> None:
    first, second = (decide(stage, {"id": "evt-1", "text": "hello"}) for _ in range(2))

    assert (first["cached"], second["cached"]) == (False, True)
    assert first["decision_id"] == second["decision_id"]


def test_an_event_without_a_score_is_decided_too(stage: Stage) -> None:
    decision = decide(stage, {"text": "unscored"})

    assert (decision["status"], decision["verdict"]) == ("unscored", "flag")


def test_the_events_own_time_is_the_time_of_its_decision_or_now(stage: Stage) -> None:
    decision = decide(stage, {"text": "hello", "time": "2026-10-05T12:00:00Z"})

    assert decision["event"]["time"] == "2026-10-05T12:00:00Z"
    assert re.fullmatch(r"20\d\d-.*Z", decision["decided_at"])


def test_what_was_decided_is_counted_and_not_as_published(stage: Stage) -> None:
    decide(stage, [{"text": "fine"}, {"text": FLAGGED}, {"text": " "}])

    assert stage.count("moderator_http_decisions_total", verdict="flag", status="scored") == 1
    assert stage.count("moderator_http_decisions_total", verdict="allow", status="scored") == 1
    assert stage.count("moderator_http_requests_total", route="/v1/decisions", status="200") == 1
    assert stage.count("moderator_decisions_total", verdict="flag", status="scored") == 0


BINARY = {"ce-specversion": "1.0", "ce-type": "chat", "ce-id": "caf%C3%A9%20/7", "ce-time": "2026-10-05T12:00:00Z"}


def test_a_cloud_event_in_binary_mode_lends_its_id_and_time(stage: Stage) -> None:
    lent = decide(stage, {"text": "hello"}, **BINARY)["event"]
    own = decide(stage, {"text": "hello", "id": "mine"}, **BINARY)["event"]

    assert (lent["id"], lent["time"]) == ("café /7", "2026-10-05T12:00:00Z")
    assert own["id"] == "mine"


def test_attributes_without_a_specversion_or_beside_an_array_say_nothing(stage: Stage) -> None:
    other = {name: value for name, value in BINARY.items() if name != "ce-specversion"} | {"x-request-id": "r"}

    assert decide(stage, {"text": "hello"}, **other)["event"]["id"] == "http/r/0"
    assert decide(stage, [{"text": "hello"}], **BINARY, **{"x-request-id": "r"})[0]["event"]["id"] == "http/r/0"


def test_an_id_in_a_header_may_be_as_long_as_any(stage: Stage) -> None:
    answer = stage.client.post("/v1/decisions", json={"text": "hello"}, headers=BINARY | {"ce-id": "x" * 257})

    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "id")
