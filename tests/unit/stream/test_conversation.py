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
TEXT = {"type": "text", "text": "Hello."}
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


def test_escapes_in_the_arguments_of_a_call_hide_no_word() -> None:
    call = {"function": {"name": "send", "arguments": r'{"to": "\u0079ou", "n": 1}'}}

    assert judged({"role": "assistant", "content": None, "tool_calls": [call]}, tool_calls="judge") == (
        "send to you n 1",
        {},
    )


def test_nor_does_a_name_that_is_given_twice_nor_half_a_character() -> None:
    call = {"function": {"name": "send", "arguments": r'{"t": "you", "t": "\u0068i", "x": "\ud800"}'}}

    text, _ = judged({"role": "assistant", "content": None, "tool_calls": [call]}, tool_calls="judge")

    assert text == "send t you t hi x \ufffd"


@pytest.mark.parametrize("arguments", ["\\", r'{"to": "\u00'])
def test_arguments_that_are_no_json_are_judged_as_they_are(arguments: str) -> None:
    call = {"function": {"name": "send", "arguments": arguments}}

    assert judged({"role": "assistant", "content": None, "tool_calls": [call]}, tool_calls="judge") == (
        f"send {arguments}",
        {},
    )


CUSTOM: dict[str, Any] = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"type": "custom", "custom": {"name": "send", "input": "you"}}],
}
USED: dict[str, Any] = {
    "role": "assistant",
    "content": [{"type": "tool_use", "name": "send", "input": {"to": "you 'idiot' é"}}],
}


def test_calls_of_custom_tools_and_calls_among_the_parts_are_judged_too() -> None:
    written = {"role": "assistant", "content": [{"type": "tool_call", "name": "send", "arguments": "you"}]}

    assert judged(CUSTOM, tool_calls="judge") == ("send you", {})
    assert judged(USED, tool_calls="judge") == ("send to you 'idiot' é", {})
    assert judged(written, tool_calls="judge") == ("send you", {})


def test_a_call_that_is_both_a_function_and_custom_is_judged_whole() -> None:
    both = {"role": "assistant", "content": "Wait.", "tool_calls": [{**CALL, **CUSTOM["tool_calls"][0]}]}

    assert judged(both, tool_calls="judge") == ('Wait.\nsend {"to": "you idiot"} send you', {})


def test_every_name_text_and_number_of_a_call_is_judged_in_order_however_deep() -> None:
    deep: Any = "idiot"
    for _ in range(900):
        deep = [deep]
    use = {"type": "tool_use", "name": "send", "input": {"to": ["you", {"n": 7}], "of": deep, "no": None}}

    text, _ = judged({"role": "assistant", "content": [use]}, tool_calls="judge")

    assert text == "send to you n 7 of idiot no"


def test_what_an_assistant_says_in_audio_is_judged_by_its_transcript_and_the_audio_counted() -> None:
    spoken = {"role": "assistant", "content": None, "audio": {"id": "a", "transcript": "You idiot."}}
    part = {"role": "user", "content": [{"type": "input_audio", "transcript": "You idiot."}]}

    assert judged(spoken) == ("You idiot.", {"audio": 1})
    assert judged(part) == ("You idiot.", {"audio": 1})
    assert judged({**spoken, "content": "Hello.", "audio": {"id": "a"}}) == ("Hello.", {"audio": 1})


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ({"thinking": "They are stupid."}, "They are stupid."),
        ({"thinking_blocks": [{"type": "thinking", "thinking": "Stupid."}]}, "Stupid."),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "Stupid."}]}, "Stupid."),
        ({"reasoning_details": [{"type": "reasoning.summary", "summary": "Stupid."}]}, "Stupid."),
        ({"reasoning": "Stupid.", "reasoning_details": [{"text": "Stupid."}]}, "Stupid."),
    ],
)
def test_reasoning_is_counted_or_judged_wherever_a_message_has_it(field: dict[str, Any], text: str) -> None:
    message = {"role": "assistant", "content": "Hello.", **field}

    assert judged(message) == ("Hello.", {"reasoning": len(field)})
    assert judged(message, reasoning="judge") == (f"{text}\n\nHello.", {})


def test_reasoning_that_cannot_be_read_stays_counted() -> None:
    message = {"role": "assistant", "content": "Hello.", "reasoning_details": [{"data": "…"}, "?"]}

    assert judged(message, reasoning="judge") == ("Hello.", {"reasoning": 2})


def test_all_texts_of_a_part_with_reasoning_are_judged() -> None:
    part = {"type": "thinking", "thinking": "Let me see.", "text": "They are stupid."}

    text, skipped = judged({"role": "assistant", "content": [part, TEXT]}, reasoning="judge")

    assert (text, skipped) == ("Let me see.\nThey are stupid.\n\nHello.", {})


def test_images_and_parts_beside_the_content_are_counted() -> None:
    message = {"role": "user", "content": "Hello.", "images": ["…", "…"], "parts": [{"text": "You idiot."}]}

    assert judged(message) == ("Hello.", {"image": 2, "other": 1})


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
        (USED, "; it has tool calls, which `MODERATOR_READING__TOOL_CALLS=judge` would judge"),
        (
            {**REASONED, "content": ""},
            "; it has reasoning, which `MODERATOR_READING__REASONING=judge` would judge",
        ),
    ],
)
def test_a_judged_message_with_nothing_but_skipped_things_names_the_setting(message: dict[str, Any], more: str) -> None:
    assert refused(message) == f"the judged message, the last one, has no text{more}"


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "tool_calls": [{"type": "other"}]},
        {"role": "assistant", "content": [{"type": "thinking", "summary": []}]},
        {**REASONED, "role": "user", "content": None},
    ],
)
@pytest.mark.parametrize("setting", ["skip", "judge"])
def test_no_setting_is_named_that_would_not_help(message: dict[str, Any], setting: str) -> None:
    error = refused(message, reasoning=setting, tool_calls=setting)

    assert error == "the judged message, the last one, has no text"


def refused(message: dict[str, Any], **settings: Any) -> str:
    letter = decode(a_record(json.dumps({"messages": [message]}).encode()), 2**20, ReadingSettings(**settings))
    assert isinstance(letter, DeadLetter)
    assert letter.reason == "no_text"
    return letter.error
