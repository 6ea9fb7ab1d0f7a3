import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from moderator.labels.sink import LabelNotSavedError
from moderator.settings import ConsoleSettings, Settings
from tests.unit.console.decisions import NO_POLICIES, LabelList, a_browser, a_console, a_decision

DECISION = f"mod_{1:032x}"


@pytest.fixture
def sink() -> LabelList:
    return LabelList()


@pytest.fixture
def client(sink: LabelList) -> TestClient:
    settings = Settings(console=ConsoleSettings(review_sample=0.5), policies=NO_POLICIES)
    return a_browser(a_console(a_decision(1, flag=True), a_decision(2), sink=sink, settings=settings))


def answered(client: TestClient, **fields: Any) -> Any:
    return client.post("/api/labels", json={"decision_id": DECISION, "judgement": "right", **fields})


def test_a_label_is_written_and_given_back(client: TestClient, sink: LabelList) -> None:
    answer = answered(client, note=" it is a threat ", queue="flagged")

    assert answer.status_code == 201
    label = answer.json()
    assert label == sink.labels[0]
    assert {
        name: label[name] for name in ("schema", "label", "note", "reviewer", "reviewer_from", "verdict", "queue")
    } == {
        "schema": "moderator.label/1",
        "label": "flag",
        "note": "it is a threat",
        "reviewer": "local",
        "reviewer_from": "local",
        "verdict": "flag",
        "queue": "flagged",
    }
    assert label["labelled_at"] == "2026-11-30T12:00:00.000Z"
    assert label["rules"] == ["safety/unsafe"]


def test_the_log_says_who_labelled_what_and_nothing_of_the_note(client: TestClient) -> None:
    with capture_logs() as lines:
        answered(client, note="secret")

    written = next(line for line in lines if line["event"] == "label_written")
    assert {"reviewer", "reviewer_from", "event_id", "tenant", "decision_id", "judgement"} <= written.keys()
    assert "secret" not in str(lines)


def test_labels_that_say_what_is_right_are_given_as_lines(client: TestClient) -> None:
    answered(client)
    answered(client, judgement="wrong")
    answered(client, decision_id=f"mod_{2:032x}", judgement="unsure")

    lines = [json.loads(line) for line in client.get("/labels.jsonl").text.splitlines()]

    assert lines == [{"id": "evt-1", "tenant": "acme", "label": "allow"}]


def test_a_label_that_is_not_saved_is_503_and_does_not_count(client: TestClient, sink: LabelList) -> None:
    sink.error = LabelNotSavedError("Kafka does not take labels in topic `moderation.labels`: `away`")

    answer = answered(client)

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_saved")
    assert client.get("/labels.jsonl").text == ""


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"decision_id": "mod_none"}, 404, "not_held", "decision_id"),
        ({"judgement": "maybe"}, 400, "bad_request", "judgement"),
        ({"note": "x" * 2_001}, 400, "bad_request", "note"),
        ({"note": 7}, 400, "bad_request", "note"),
        ({"queue": "mine"}, 400, "bad_request", "queue"),
        ({"reviewer": "ana"}, 400, "bad_request", "reviewer"),
    ],
)
def test_a_wrong_label_is_refused_by_its_field(
    client: TestClient, fields: dict[str, Any], status: int, code: str, param: str
) -> None:
    answer = answered(client, **fields)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)


def test_half_a_character_in_a_note_is_refused(client: TestClient) -> None:
    body = b'{"decision_id": "' + DECISION.encode() + b'", "judgement": "right", "note": "\\ud83d"}'

    answer = client.post("/api/labels", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400


def test_what_is_no_json_and_what_is_too_much_are_refused(client: TestClient) -> None:
    headers = {"content-type": "application/json"}

    assert client.post("/api/labels", content=b"{", headers=headers).json()["error"]["code"] == "bad_json"
    assert client.post("/api/labels", content=b"[" * 100_000, headers=headers).json()["error"]["code"] == "bad_json"
    assert client.post("/api/labels", content=b" " * 5_000_000, headers=headers).status_code == 413


def test_nobody_labels_where_there_is_nowhere_to_write_to() -> None:
    client = a_browser(a_console(a_decision(1)))

    assert (answered(client).status_code, answered(client).json()["error"]["code"]) == (403, "read_only")
