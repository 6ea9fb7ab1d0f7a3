"""LiteLLM's own guardrail client, unchanged: what it sends, and what becomes of our answers."""

import asyncio
import importlib
import os
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from tests.servers.http_stage import FLAGGED, TOKEN, Stage, a_stage, served

GUARDRAIL = "litellm.proxy.guardrails.guardrail_hooks.generic_guardrail_api.generic_guardrail_api"


class Door(NamedTuple):
    """Where LiteLLM's client finds us; it takes 5 s to import, so that only the process of these tests does."""

    stage: Stage
    port: int
    client: ModuleType

    @property
    def blocked(self) -> type[Exception]:
        raised: type[Exception] = self.client.GuardrailRaisedException
        return raised


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else importing it asks the network
    client = importlib.import_module(GUARDRAIL)
    with a_stage(tmp_path_factory.mktemp("policies")) as stage, served(stage) as port:
        yield Door(stage, port, client)


def guard(door: Door, input_type: Any, inputs: Any, api_key: str = TOKEN, **options: Any) -> Any:
    async def apply() -> Any:
        guardrail = door.client.GenericGuardrailAPI(
            api_base=f"http://127.0.0.1:{door.port}",
            api_key=api_key,
            guardrail_name="moderator",
            event_hook="pre_call",
            **options,
        )
        return await guardrail.apply_guardrail(
            inputs=inputs,
            request_data={"metadata": {"user_api_key_team_id": "team-1", "user_api_key_end_user_id": "ana"}},
            input_type=input_type,
        )

    return asyncio.run(apply())


def test_a_request_without_a_flag_passes_unchanged(door: Door) -> None:
    messages = [{"role": "user", "content": "Hello"}]

    passed = guard(door, "request", {"texts": ["Hello"], "structured_messages": messages, "model": "gpt-5"})

    assert passed["texts"] == ["Hello"]
    assert "structured_messages" not in passed


def test_a_flagged_request_is_blocked_with_our_reason(door: Door) -> None:
    messages = [{"role": "user", "content": FLAGGED}]

    with pytest.raises(door.blocked) as caught:
        guard(door, "request", {"texts": [FLAGGED], "structured_messages": messages})

    assert "unsafe_content (decision mod_" in str(caught.value)


def test_a_flagged_response_is_replaced(door: Door) -> None:
    parameters = {"on_flag": "replace", "replacement": "[removed]"}

    changed = guard(door, "response", {"texts": ["fine", FLAGGED]}, additional_provider_specific_params=parameters)

    assert changed["texts"] == ["fine", "[removed]"]


@pytest.mark.parametrize("fallback", ["fail_open", "fail_closed"])
def test_while_nobody_can_answer_the_operators_fallback_decides(fallback: Any, door: Door) -> None:
    warm, door.stage.intake._warm = door.stage.intake._warm, None
    try:
        if fallback == "fail_open":
            passed = guard(door, "request", {"texts": [FLAGGED]}, unreachable_fallback=fallback)
            assert passed["texts"] == [FLAGGED]
        else:
            with pytest.raises(Exception, match="503"):
                guard(door, "request", {"texts": ["fine"]}, unreachable_fallback=fallback)
    finally:
        door.stage.intake._warm = warm


def test_a_full_queue_counts_as_unreachable_too(door: Door) -> None:
    most = door.stage.settings.http.queue_events
    door.stage.queue._waiting += most
    try:
        passed = guard(door, "request", {"texts": [FLAGGED]}, unreachable_fallback="fail_open")
    finally:
        door.stage.queue._waiting -= most

    assert passed["texts"] == [FLAGGED]


def test_a_wrong_token_is_never_taken_for_an_unreachable_guardrail(door: Door) -> None:
    with pytest.raises(Exception, match="401"):
        guard(door, "request", {"texts": ["fine"]}, api_key="another-token-0123", unreachable_fallback="fail_open")
