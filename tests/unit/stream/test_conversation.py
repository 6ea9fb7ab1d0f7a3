"""What of a message is judged: reasoning and tool calls are skipped and counted, or judged as the settings say."""

import json
from typing import Any

import pytest

from moderator.events import ChatEvent, DeadLetter
from moderator.settings import ReadingSettings
from moderator.stream.codec import decode
from tests.builders import a_record

CALL = {"id": "1", "type": "function", "function": {"name": "send", "arguments": '{"to": "you idiot"}'}}
REASONED = {"role": "assistant", "content": "Hello.", "reasoning_content": "They are stupid."}
CALLING = {"role": "assistant", "content": "One moment.", "tool_calls": [CALL]}
THINKING = {
    "role": "assistant",
    "content": [
        {"type": "thinking", "thinking": "Let me see."},
        {"type": "reasoning", "text": "And think."},
        {"type": "redacted_thinking", "data": "…"},
        {"type": "text", "text": "Hello."},
    ],
}


def judged(*messages: dict[str, Any], **settings: Any) -> tuple[str, dict[str, int]]:
    event = decode(a_record(json.dumps({"messages": messages}).encode()), 2**20, ReadingSettings(**settings))
    assert isinstance(event, ChatEvent)
    return event.conversation[-1].content, {str(kind): count for kind, count in (event.skipped or {}).items()}


def test_reasoning_and_tool_calls_are_skipped_and_counted() -> None:
    assert judged(REASONED) == ("Hello.", {"reasoning": 1})
    assert judged(CALLING) == ("One moment.", {"tool_call": 1})
    assert judged(THINKING) == ("Hello.", {"reasoning": 2, "other": 1})


def test_reasoning_is_judged_before_the_content_where_that_is_set() -> None:
    assert judged(REASONED, reasoning="judge") == ("They are stupid.\n\nHello.", {})
    assert judged(THINKING, reasoning="judge") == ("Let me see.\nAnd think.\n\nHello.", {"other": 1})
    assert judged({**REASONED, "content": None}, reasoning="judge") == ("They are stupid.", {})


def test_only_an_assistants_reasoning_is_judged() -> None:
    assert judged({**REASONED, "role": "user"}, reasoning="judge") == ("Hello.", {"reasoning": 1})


def test_reasoning_whose_text_is_not_there_stays_skipped() -> None:
    parts = [{"type": "reasoning", "summary": []}, {"type": "text", "text": "Hello."}]

    assert judged({"role": "assistant", "content": parts}, reasoning="judge") == ("Hello.", {"reasoning": 1})


def test_tool_calls_are_judged_after_the_content_where_that_is_set() -> None:
    assert judged(CALLING, tool_calls="judge") == ('One moment.\nsend {"to": "you idiot"}', {})
    two = {**CALLING, "content": None, "tool_calls": [CALL, {"function": {"name": "stop"}}, {"type": "custom"}]}
    assert judged(two, tool_calls="judge") == ('send {"to": "you idiot"}\nstop', {"tool_call": 1})


def test_the_old_form_of_a_tool_call_is_judged_too() -> None:
    message = {"role": "assistant", "content": "Wait.", "function_call": {"name": "send", "arguments": "{}"}}

    assert judged(message, tool_calls="judge") == ("Wait.\nsend {}", {})


def test_a_refusal_is_between_content_and_tool_calls() -> None:
    message = {**CALLING, **REASONED, "content": "Well.", "refusal": "I cannot."}

    text, skipped = judged(message, reasoning="judge", tool_calls="judge")

    assert (text, skipped) == ('They are stupid.\n\nWell.\nI cannot.\nsend {"to": "you idiot"}', {})


def test_tool_calls_are_counted_in_both_of_their_places() -> None:
    content = [{"type": "tool_use", "name": "send"}, {"type": "text", "text": "Hello."}]

    assert judged({**CALLING, "content": content}) == ("Hello.", {"tool_call": 2})


def test_earlier_turns_are_read_alike_and_counted_too() -> None:
    content, skipped = judged(REASONED, CALLING, {"role": "user", "content": "Thanks."})

    assert (content, skipped) == ("Thanks.", {"reasoning": 1, "tool_call": 1})


@pytest.mark.parametrize(
    ("message", "more"),
    [
        ({"role": "user", "content": ""}, ""),
        (
            {**CALLING, "content": None},
            "; it has tool calls, which `MODERATOR_READING__TOOL_CALLS=judge` would judge",
        ),
        (
            {**REASONED, "content": ""},
            "; it has reasoning, which `MODERATOR_READING__REASONING=judge` would judge",
        ),
    ],
)
def test_a_judged_message_with_nothing_but_skipped_things_names_the_setting(message: dict[str, Any], more: str) -> None:
    letter = decode(a_record(json.dumps({"messages": [message]}).encode()), 2**20)

    assert letter == DeadLetter("no_text", f"the judged message, the last one, has no text{more}")
