"""OpenAI's official client, unchanged: what it sends, reads and raises."""

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.servers.http_stage import FLAGGED, TOKEN, Stage, a_stage, served

if TYPE_CHECKING:
    from openai import OpenAI


class Door(NamedTuple):
    """OpenAI's library takes a second to import, so that only the process of these tests does."""

    stage: Stage
    client: "OpenAI"
    openai: ModuleType


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("policies")
    openai = importlib.import_module("openai")
    with (
        a_stage(folder, http__max_batch=8, http__queue_events=8) as stage,
        served(stage) as port,
        openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=TOKEN, max_retries=0) as client,
    ):
        yield Door(stage, client, openai)


def test_a_text_is_moderated(door: Door) -> None:
    response = door.client.moderations.create(input=f"this is {FLAGGED}", model="omni-moderation-latest")

    [result] = response.results
    assert (response.model, result.flagged) == ("scripted", True)
    assert result.categories.safety is True  # type: ignore[attr-defined]
    assert result.category_scores.safety == 0.8  # type: ignore[attr-defined]
    assert result.category_applied_input_types.model_extra == {"safety": ["text"]}
    assert result.categories.violence is None
    assert result.moderator["severity"] == "high"


def test_a_list_of_texts_and_fields_of_the_event_are_moderated(door: Door) -> None:
    response = door.client.moderations.create(
        input=["fine", FLAGGED], extra_body={"event": {"tenant": "acme", "speaker": "assistant"}}
    )

    assert [result.flagged for result in response.results] == [False, True]
    event = response.results[0].moderator["event"]  # type: ignore[attr-defined]
    assert (event["tenant"], event["speaker"]) == ("acme", "assistant")


def test_parts_are_moderated(door: Door) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}
    parts: Any = [{"type": "text", "text": FLAGGED}, image]

    response = door.client.moderations.create(input=parts)

    [result] = response.results
    assert result.flagged
    assert result.moderator["skipped_parts"] == 1  # type: ignore[attr-defined]


def test_the_requests_name_can_be_read_from_answers_and_errors(door: Door) -> None:
    response = door.client.moderations.create(input="fine", extra_headers={"x-request-id": "trace-1"})
    with pytest.raises(door.openai.APIStatusError) as caught:
        door.client.moderations.create(input=" ", extra_headers={"x-request-id": "trace-2"})

    assert response._request_id == "trace-1"
    assert caught.value.request_id == "trace-2"


def test_a_blank_text_is_an_error_that_names_it(door: Door) -> None:
    with pytest.raises(door.openai.UnprocessableEntityError) as caught:
        door.client.moderations.create(input=["fine", " "])

    assert (caught.value.code, caught.value.param, caught.value.type) == (
        "no_text",
        "input[1]",
        "invalid_request_error",
    )


def test_a_wrong_input_is_a_bad_request(door: Door) -> None:
    with pytest.raises(door.openai.BadRequestError) as caught:
        door.client.moderations.create(input=[])

    assert (caught.value.code, caught.value.param) == ("bad_request", "input")


def test_a_wrong_token_is_an_authentication_error(door: Door) -> None:
    with pytest.raises(door.openai.AuthenticationError) as caught:
        door.client.with_options(api_key="another-token-0123").moderations.create(input="fine")

    assert caught.value.code == "invalid_api_key"


def test_too_many_texts_are_too_large(door: Door) -> None:
    with pytest.raises(door.openai.APIStatusError) as caught:
        door.client.moderations.create(input=["a"] * 9)

    assert (caught.value.status_code, caught.value.code) == (413, "batch_too_large")


def test_a_full_queue_is_a_rate_limit_with_the_time_to_wait(door: Door) -> None:
    door.stage.queue._waiting = 8
    try:
        with pytest.raises(door.openai.RateLimitError) as caught:
            door.client.moderations.create(input="fine")
    finally:
        door.stage.queue._waiting = 0

    assert caught.value.code == "overloaded"
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 30


def test_a_passed_deadline_is_not_tried_again(door: Door) -> None:
    before = door.stage.count("moderator_http_requests_total", route="/v1/moderations", status="504") or 0
    with door.stage.busy(), pytest.raises(door.openai.InternalServerError) as caught:
        door.client.with_options(max_retries=2).moderations.create(
            input="slow", extra_headers={"x-moderator-deadline-ms": "50"}
        )

    assert (caught.value.status_code, caught.value.code) == (504, "deadline_exceeded")
    assert door.stage.count("moderator_http_requests_total", route="/v1/moderations", status="504") == before + 1


def test_a_replica_that_is_not_ready_is_an_error_that_says_when_to_ask_again(door: Door) -> None:
    before = door.stage.count("moderator_http_requests_total", route="/v1/moderations", status="503") or 0
    warm, door.stage.intake._warm = door.stage.intake._warm, None
    try:
        with pytest.raises(door.openai.InternalServerError) as caught:
            door.client.moderations.create(input="fine")
    finally:
        door.stage.intake._warm = warm

    assert (caught.value.status_code, caught.value.code) == (503, "not_ready")
    assert caught.value.response.headers["retry-after"]
    assert door.stage.count("moderator_http_requests_total", route="/v1/moderations", status="503") == before + 1
