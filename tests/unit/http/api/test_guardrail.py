"""LiteLLM's Generic Guardrail API: what of a request is judged, and what LiteLLM is answered."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moderator.events import ChatEvent, Decision, ModelIdentity, Record, Turn
from moderator.http.api.intake import Warm
from moderator.pipeline.decision import Decider
from moderator.policy import PolicySet
from tests.builders import POLICY_FILES, some_scores
from tests.servers.http_stage import FLAGGED, Stage, a_stage, by_word

PATH = "/beta/litellm_basic_guardrail_api"
LOW = "doubtful"
FILES = POLICY_FILES | {
    "low.yaml": """
policy: low
about: Doubtful content is noted.
owner: trust-safety@example.com
rules:
  - rule: doubtful
    about: It may be unsafe.
    mode: live
    when: {safety: below 0.60}
    flag: {severity: low, reason: unsafe_content}
""",
}


def script(conversation: list[Turn]) -> Any:
    return some_scores(0.5, 0.7) if LOW in conversation[-1].content else by_word(conversation)


class Spy(Decider):
    """Remembers what it decided on."""

    def __init__(self, policies: PolicySet, model: ModelIdentity) -> None:
        super().__init__(policies, model)
        self.events: list[ChatEvent] = []

    def decide(self, record: Record, event: ChatEvent, *rest: Any) -> Decision:
        self.events.append(event)
        return super().decide(record, event, *rest)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with a_stage(tmp_path, script, FILES, http__max_batch=5, http__queue_events=5) as stage:  # type: ignore[arg-type]
        yield stage


@pytest.fixture(scope="module")
def lasting_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One for all tests in which nothing is judged, which leave nothing behind."""
    with a_stage(tmp_path_factory.mktemp("policies"), script, FILES, http__max_batch=5) as stage:  # type: ignore[arg-type]
        yield stage


def ask(stage: Stage, **body: Any) -> Any:
    body.setdefault("input_type", "request")
    answer = stage.client.post(PATH, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def judged(stage: Stage) -> list[list[tuple[str, str]]]:
    return [[(turn.role, turn.content) for turn in each] for each in stage.scorer._conversations.values()]


def test_of_a_conversation_the_last_message_is_judged_in_the_context_of_those_before_it(stage: Stage) -> None:
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": FLAGGED},
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": [{"type": "text", "text": "fine"}, {"type": "image_url", "image_url": {}}]},
    ]

    answer = ask(stage, structured_messages=messages, texts=[FLAGGED, "fine"])

    assert answer["action"] == "NONE"
    assert [each["verdict"] for each in answer["moderator"]] == ["allow"]
    assert judged(stage) == [[("system", "Be kind."), ("user", FLAGGED), ("assistant", "No."), ("user", "fine")]]


def test_every_message_is_judged_but_the_operators_where_the_operator_says_so(stage: Stage) -> None:
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": FLAGGED},
        {"role": "function", "content": "{}", "name": "f"},
    ]

    answer = ask(stage, structured_messages=messages, additional_provider_specific_params={"judge": "every"})

    assert answer["action"] == "BLOCKED"
    assert [[role for role, _ in each] for each in judged(stage)] == [["system", "user"], ["system", "user", "tool"]]


@pytest.mark.parametrize(("input_type", "role"), [("request", "user"), ("response", "assistant")])
def test_texts_without_messages_are_judged_each_by_itself(input_type: str, role: str, stage: Stage) -> None:
    answer = ask(stage, input_type=input_type, texts=["a", " ", FLAGGED])

    assert len(answer["moderator"]) == 2
    assert judged(stage) == [[(role, "a")], [(role, FLAGGED)]]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"texts": None, "images": ["x"], "tools": [{}], "tool_calls": [{}]},
        {"texts": [" ", ""]},
        {"structured_messages": [{"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f"}}]}]},
        {"structured_messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
    ],
)
def test_where_there_is_nothing_to_judge_it_passes(body: dict[str, Any], lasting_stage: Stage) -> None:
    assert ask(lasting_stage, **body) == {"action": "NONE", "moderator": []}


def test_a_flag_blocks_with_its_reasons_and_the_worst_decision(stage: Stage) -> None:
    answer = ask(stage, texts=[LOW, FLAGGED])

    worst = answer["moderator"][1]
    assert worst["severity"] == "high"
    assert answer["action"] == "BLOCKED"
    assert answer["blocked_reason"] == f"unsafe_content (decision {worst['decision_id']})"


def test_flags_below_the_operators_limit_pass(stage: Stage) -> None:
    parameters = {"block_at": "medium"}

    low = ask(stage, texts=[LOW], additional_provider_specific_params=parameters)
    high = ask(stage, texts=[FLAGGED], additional_provider_specific_params=parameters)

    assert (low["action"], low["moderator"][0]["verdict"], high["action"]) == ("NONE", "flag", "BLOCKED")


def test_flags_are_only_watched_where_the_operator_says_so(stage: Stage) -> None:
    answer = ask(stage, texts=[FLAGGED], additional_provider_specific_params={"on_flag": "watch"})

    assert (answer["action"], answer["moderator"][0]["verdict"]) == ("NONE", "flag")


def test_flagged_texts_of_a_response_are_replaced_and_a_request_is_blocked(stage: Stage) -> None:
    parameters = {"on_flag": "replace", "replacement": "[removed]"}

    response = ask(
        stage,
        input_type="response",
        texts=["a", FLAGGED, " ", "b"],
        additional_provider_specific_params=parameters,
    )
    request = ask(stage, texts=[FLAGGED], additional_provider_specific_params=parameters)

    assert response["action"] == "GUARDRAIL_INTERVENED"
    assert response["texts"] == ["a", "[removed]", " ", "b"]
    assert request["action"] == "BLOCKED"


def test_what_litellm_knows_of_the_caller_is_in_the_event(stage: Stage) -> None:
    spy = Spy(stage.decider().policies, stage.scorer.identity)
    stage.intake.open(Warm(stage.queue, lambda: spy, lambda: stage.status))
    data = {
        "user_api_key_team_id": "team-1",
        "user_api_key_user_id": "key-owner",
        "user_api_key_end_user_id": "end-user",
        "user_api_key_hash": "88dc28",
        "user_api_key_user_email": "ana@example.com",
    }
    common = {"request_data": data, "litellm_call_id": "call-1", "litellm_trace_id": "trace-1", "model": "gpt-5"}

    ask(stage, texts=["a"], **common)
    ask(stage, texts=["a"], additional_provider_specific_params={"tenant": "acme", "role": "member"}, **common)

    first, second = spy.events
    assert first == first._replace(
        id="call-1/request/0",
        tenant="team-1",
        user="end-user",
        conversation_id="trace-1",
        metadata={"surface": "litellm", "model": "gpt-5"},
    )
    assert (second.tenant, second.role) == ("acme", "member")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input_type": "both"}, "input_type"),
        ({"texts": "a"}, "texts"),
        ({"texts": ["a", 5]}, "texts[1]"),
        ({"structured_messages": [5]}, "structured_messages[0]"),
        ({"additional_provider_specific_params": []}, "additional_provider_specific_params"),
        ({"additional_provider_specific_params": {"judge": "all"}}, "additional_provider_specific_params.judge"),
        ({"additional_provider_specific_params": {"block_at": 5}}, "additional_provider_specific_params.block_at"),
        ({"additional_provider_specific_params": {"tenant": 5}}, "additional_provider_specific_params.tenant"),
    ],
)
def test_a_wrong_request_or_parameter_is_named(body: dict[str, Any], param: str, lasting_stage: Stage) -> None:
    answer = lasting_stage.client.post(PATH, json={"input_type": "request"} | body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_message_that_is_none_is_no_event(stage: Stage) -> None:
    answer = stage.client.post(PATH, json={"input_type": "request", "structured_messages": [{"role": "king"}]})

    assert answer.status_code == 422
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == (
        "bad_schema",
        "structured_messages[0].role",
    )


def test_a_full_queue_is_an_unreachable_guardrail_here(stage: Stage) -> None:
    with stage.busy():
        stage.queue._waiting = 5
        answer = stage.client.post(PATH, json={"input_type": "request", "texts": ["a"]})
        stage.queue._waiting = 0

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded")
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"texts": ["fine", "é" * 60]}, "texts[1]"),
        (
            {"structured_messages": [{"role": "user", "content": "x" * 60}, {"role": "user", "content": "y" * 60}]},
            "structured_messages[1]",
        ),
    ],
)
def test_texts_that_are_larger_than_an_event_may_be_are_refused(
    body: dict[str, Any], param: str, tmp_path: Path
) -> None:
    with a_stage(tmp_path, max_event_bytes=100) as stage:
        answer = stage.client.post(PATH, json={"input_type": "request", **body})

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (413, "too_large", param)


def test_an_image_counts_nothing_towards_the_size_of_an_event(tmp_path: Path) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 200}}
    message = {"role": "user", "content": [{"type": "text", "text": "fine"}, image]}

    with a_stage(tmp_path, max_event_bytes=100) as stage:
        answer = ask(stage, structured_messages=[message])

    assert answer["action"] == "NONE"


LONG = "x" * 257


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"request_data": {"user_api_key_team_id": LONG}}, "request_data.user_api_key_team_id"),
        ({"request_data": {"user_api_key_end_user_id": LONG}}, "request_data.user_api_key_end_user_id"),
        ({"request_data": {"user_api_key_user_id": LONG}}, "request_data.user_api_key_user_id"),
        ({"litellm_trace_id": LONG}, "litellm_trace_id"),
        (
            {"structured_messages": [{"role": "king", "content": "a"}, {"role": "user", "content": "b"}]},
            "structured_messages[0].role",
        ),
        ({"structured_messages": [{"role": "user", "content": [{"type": "text"}]}]}, "structured_messages[0]"),
    ],
)
def test_a_field_that_is_wrong_is_called_as_the_client_calls_it(
    body: dict[str, Any], param: str, lasting_stage: Stage
) -> None:
    answer = lasting_stage.client.post(PATH, json={"input_type": "request", "texts": ["a"], **body})

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (422, "bad_schema", param)
    assert error["message"].startswith(f"`{param}`: ")
