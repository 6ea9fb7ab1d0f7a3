"""`POST /v1/moderations`: what OpenAI's clients send and read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import some_scores
from tests.servers.http_stage import FLAGGED, Stage, a_stage

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with a_stage(tmp_path, max_event_bytes=2_000, http__max_batch=5, http__queue_events=5) as stage:
        yield stage


@pytest.fixture(scope="module")
def lasting_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One for all tests of requests that are refused, which leave nothing behind."""
    with a_stage(tmp_path_factory.mktemp("policies"), http__max_batch=5) as stage:
        yield stage


def post(stage: Stage, **body: Any) -> Any:
    return stage.client.post("/v1/moderations", json=body)


def results(stage: Stage, **body: Any) -> list[Any]:
    answer = post(stage, **body)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["results"]
    return found


def error(stage: Stage, **body: Any) -> tuple[int, str, str | None]:
    answer = post(stage, **body)
    problem = answer.json()["error"]
    return answer.status_code, problem["code"], problem["param"]


def test_a_text_has_one_result_and_the_whole_decision_in_it(stage: Stage) -> None:
    answer = post(stage, input=FLAGGED, model="omni-moderation-latest").json()

    [result] = answer["results"]
    assert answer["id"].startswith("modr-")
    assert len(answer["id"]) == len("modr-") + 32
    assert answer["model"] == "scripted"
    assert result["flagged"] is True
    assert result["categories"] == {"safety": True}
    assert result["category_scores"] == {"safety": 0.8}
    assert result["category_applied_input_types"] == {"safety": ["text"]}
    assert result["moderator"]["verdict"] == "flag"
    assert result["moderator"]["event"]["speaker"] == "user"


def test_a_list_of_texts_has_one_result_each_in_order(stage: Stage) -> None:
    found = results(stage, input=["fine", FLAGGED, "fine too"])

    assert [each["flagged"] for each in found] == [False, True, False]
    assert [each["moderator"]["event"]["offset"] for each in found] == [0, 1, 2]


def test_parts_are_one_text_and_images_are_counted_and_not_judged(stage: Stage) -> None:
    parts = [{"type": "text", "text": "this is"}, IMAGE, {"type": "text", "text": FLAGGED}]

    [result] = results(stage, input=parts)

    assert result["flagged"] is True
    assert result["moderator"]["skipped_parts"] == 1
    assert result["moderator"]["reading"]["skipped"] == {"image": 1}
    assert stage.scorer._conversations.popitem()[1][-1].content == f"this is\n{FLAGGED}"
    assert stage.count("moderator_http_skipped_parts_total") == 1


def test_what_is_said_about_the_event_counts_for_all_inputs(stage: Stage) -> None:
    event = {"tenant": "acme", "speaker": "Assistant", "user": 7, "metadata": {"surface": "web"}, "unknown": 1}

    found = results(stage, input=["a", "b"], event=event)

    assert [each["moderator"]["event"]["tenant"] for each in found] == ["acme", "acme"]
    first = found[0]["moderator"]["event"]
    assert (first["speaker"], first["user"], first["metadata"]) == ("assistant", "7", {"surface": "web"})


def test_a_flag_without_a_true_category_is_possible(stage: Stage) -> None:
    [result] = results(stage, input="unscored")

    assert result["flagged"] is True
    assert result["categories"] == {"safety": False}
    assert result["category_scores"] == {"safety": None}


def test_a_rule_that_does_not_count_makes_no_category_true(stage: Stage) -> None:
    stage.scorer._script = lambda _: some_scores(0.4, 0.7)

    [result] = results(stage, input="doubtful")

    assert result["flagged"] is False
    assert result["categories"] == {"safety": False}
    assert result["category_scores"] == {"safety": 0.6}


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (None, "input"),
        (5, "input"),
        ({}, "input"),
        ([], "input"),
        ([1, 2], "input[0]"),
        ([[1, 2]], "input[0]"),
        (["a", 5], "input[1]"),
        (["a", {"type": "text", "text": "b"}], "input[1]"),
        ([{"type": "text", "text": "b"}, "a"], "input[1]"),
        ([{"type": "input_audio"}], "input[0]"),
        ([{"type": "text", "text": 5}], "input[0]"),
        ([{"type": "image_url", "image_url": "x"}], "input[0]"),
    ],
)
def test_an_input_of_another_shape_is_refused_at_its_first_fault(given: Any, param: str, lasting_stage: Stage) -> None:
    assert error(lasting_stage, input=given) == (400, "bad_request", param)


@pytest.mark.parametrize(
    ("given", "param"),
    [(" \n", "input"), (["a", ""], "input[1]"), ([IMAGE], "input"), ([{"type": "text", "text": " "}, IMAGE], "input")],
)
def test_a_blank_text_is_refused_and_nothing_is_judged(given: Any, param: str, lasting_stage: Stage) -> None:
    assert error(lasting_stage, input=given) == (422, "no_text", param)
    assert lasting_stage.scorer.scored == []


@pytest.mark.parametrize(
    ("event", "param"),
    [
        (5, "event"),
        ({"tenant": 1.5}, "event.tenant"),
        ({"user": "x" * 257}, "event.user"),
        ({"speaker": "king"}, "event.speaker"),
        ({"metadata": []}, "event.metadata"),
        ({"time": {}}, "event.time"),
    ],
)
def test_a_wrong_field_of_the_event_is_named(event: Any, param: str, lasting_stage: Stage) -> None:
    assert error(lasting_stage, input="a", event=event) == (400, "bad_request", param)


def test_a_model_that_is_no_text_is_refused(stage: Stage) -> None:
    assert error(stage, input="a", model=5) == (400, "bad_request", "model")


def test_too_many_and_too_large_texts_are_refused(stage: Stage) -> None:
    assert error(stage, input=["a"] * 6) == (413, "batch_too_large", None)
    assert error(stage, input=["a", "ü" * 1_001]) == (413, "too_large", "input[1]")


def test_a_fault_of_ours_is_no_verdict(stage: Stage) -> None:
    assert error(stage, input=["a", "poison"]) == (500, "crashed_scorer", "input[1]")
