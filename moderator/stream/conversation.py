"""Chat messages to turns: what of a message is judged, and how much of it is skipped."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from moderator.errors import InvalidEventError
from moderator.events import SkippedKind, Turn
from moderator.settings import ReadingSettings
from moderator.stream.event_schema import TEXT_PARTS, ChatEventRecord, ChatMessage, ContentPart, ToolCall
from moderator.stream.exact_json import loads_pairs

_KIND_OF_PART: Final[dict[str, SkippedKind]] = {
    **dict.fromkeys(("image", "image_url", "input_image"), "image"),
    **dict.fromkeys(("audio", "input_audio", "output_audio"), "audio"),
    **dict.fromkeys(("file", "input_file"), "file"),
    **dict.fromkeys(("thinking", "reasoning"), "reasoning"),
    **dict.fromkeys(("tool_use", "tool_call", "server_tool_use", "mcp_tool_use"), "tool_call"),
}
"""Every other part is `other`."""
_READ_PARTS: Final = (*TEXT_PARTS, "refusal")
_READ_KINDS: Final = ("reasoning", "tool_call")
_OF_THOUGHTS: Final = ("thinking", "text", "summary")
"""Where the blocks of a message's reasoning have their texts."""
_REMEDIES: Final = {
    "reasoning": "it has reasoning, which `MODERATOR_READING__REASONING=judge` would judge",
    "tool_calls": "it has tool calls, which `MODERATOR_READING__TOOL_CALLS=judge` would judge",
}
"""By the name of the setting."""


class Conversation(NamedTuple):
    """The turns of an event, the judged one last, and what was skipped in all of them, zeros left out."""

    turns: tuple[Turn, ...]
    skipped: dict[SkippedKind, int]


def conversation_of(event: ChatEventRecord, reading: ReadingSettings) -> Conversation:
    """Read the event's one shape of content.

    Args:
        event: as it was sent.
        reading: what of a message is judged besides its text.

    Raises:
        InvalidEventError: there is none, more than one, or half of one; or the judged message has no text.
    """
    shapes = [name for name in ("messages", "prompt", "text") if getattr(event, name) is not None]
    if len(shapes) != 1:
        given = " and ".join(f"`{name}`" for name in shapes) or "none"
        raise InvalidEventError("bad_schema", f"exactly one of `messages`, `prompt`, `text` is needed; given: {given}")
    if (event.response is None) == (event.prompt is not None):
        raise InvalidEventError("bad_schema", "`prompt` and `response` go together")
    messages = _messages(event)
    read = [_read(message, reading) for message in messages]
    turns = tuple(turn for turn, _ in read)
    if not turns[-1].content.strip():
        raise InvalidEventError("no_text", _no_text(messages[-1], reading))
    skipped = sum((each for _, each in read), Counter[SkippedKind]())
    return Conversation(turns, dict(skipped))


def _messages(event: ChatEventRecord) -> Sequence[ChatMessage]:
    if event.messages is not None:
        return event.messages
    if event.prompt is not None:
        return ChatMessage(role="user", content=event.prompt), ChatMessage(role="assistant", content=event.response)
    return (ChatMessage(role="user", content=event.text),)


def _no_text(message: ChatMessage, reading: ReadingSettings) -> str:
    """Say why nothing can be judged, and which setting would change that."""
    remedies = [remedy for setting, remedy in _REMEDIES.items() if _would_help(setting, message, reading)]
    return "; ".join(["the judged message, the last one, has no text", *remedies])


def _would_help(setting: str, message: ChatMessage, reading: ReadingSettings) -> bool:
    turn, _ = _read(message, reading.model_copy(update={setting: "judge"}))
    return bool(turn.content.strip())


def _read(message: ChatMessage, reading: ReadingSettings) -> tuple[Turn, Counter[SkippedKind]]:
    """Give what is judged of a message: reasoning, content, refusal, transcripts, tool calls; and count the rest."""
    parts = message.content if isinstance(message.content, list) else []
    content = message.content if isinstance(message.content, str) else "\n".join(_part_texts(parts))
    thoughts, calls = _thoughts(message, parts), _calls(message, parts)
    skipped = _never_judged(message, parts)
    skipped["reasoning"] += len(thoughts)
    skipped["tool_call"] += len(calls)
    text = "\n".join(filter(None, (content, message.refusal, _strings([_transcript(message.audio)]))))
    if reading.reasoning == "judge" and message.role == "assistant":
        judged = [thought for thought in thoughts if thought]
        skipped["reasoning"] -= len(judged)
        text = "\n\n".join(filter(None, ("\n".join(dict.fromkeys(judged)), text)))
    if reading.tool_calls == "judge":
        lines = [line for line in calls if line]
        skipped["tool_call"] -= len(lines)
        text = "\n".join(filter(None, (text, *lines)))
    return Turn(message.role, text), +skipped


def _never_judged(message: ChatMessage, parts: Sequence[ContentPart]) -> Counter[SkippedKind]:
    """Count what no setting lets be judged; a sound is counted even where its transcript is judged."""
    kinds = (_KIND_OF_PART.get(part.type, "other") for part in parts if part.type not in _READ_PARTS)
    skipped = Counter(kind for kind in kinds if kind not in _READ_KINDS)
    skipped["audio"] += len(_items(message.audio))
    skipped["image"] += len(_items(message.images))
    skipped["other"] += len(_items(message.parts))
    return skipped


def _thoughts(message: ChatMessage, parts: Sequence[ContentPart]) -> list[str]:
    """Give every text of reasoning; an empty one for a part whose text is not where it is expected."""
    fields = (message.reasoning_content, message.reasoning, *_items(message.thinking))
    blocks = (*_items(message.reasoning_details), *_items(message.thinking_blocks))
    return [
        *(_strings([field]) for field in fields if field),
        *(_strings(map(block.get, _OF_THOUGHTS)) if isinstance(block, dict) else "" for block in blocks),
        *(_strings((part.thinking, part.reasoning, part.text)) for part in parts if _is(part, "reasoning")),
    ]


def _calls(message: ChatMessage, parts: Sequence[ContentPart]) -> list[str]:
    """Give a line for every tool call; an empty one for a call that cannot be read."""
    old = message.function_call
    return [
        *(_line(part.name, part.input, _unescaped(part.arguments)) for part in parts if _is(part, "tool_call")),
        *(_call_line(call) for call in message.tool_calls or ()),
        *([] if old is None else [_line(old.name, _unescaped(old.arguments))]),
    ]


def _call_line(call: ToolCall) -> str:
    called = (call.function.name, _unescaped(call.function.arguments)) if call.function else ()
    custom = (call.custom.name, call.custom.input) if call.custom else ()
    return _line(*called, *custom)


def _unescaped(arguments: Any) -> Any:
    """Give what a JSON text with escapes says, for they would hide words; anything else as it is."""
    if not isinstance(arguments, str) or "\\" not in arguments:
        return arguments
    try:
        return loads_pairs(arguments)
    except (ValueError, RecursionError):
        return arguments


def _line(*values: Any) -> str:
    return " ".join(word for value in values for word in _words(value) if word)


def _words(value: Any) -> Iterator[str]:
    """Give a text as it is, of anything else every name, text and number, in order, however deep it is nested."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case dict() as fields:
                waiting += reversed([each for pair in fields.items() for each in pair])
            case list() as items:
                waiting += reversed(items)
            case int() | float() as number:
                yield str(number)


def _part_texts(parts: Sequence[ContentPart]) -> Iterator[str]:
    for part in parts:
        if part.type in TEXT_PARTS:
            yield _string(part, "text", part.text)
        elif part.type == "refusal":
            yield _string(part, "refusal", part.refusal)
        elif _is(part, "audio") and isinstance(part.transcript, str):
            yield part.transcript


def _is(part: ContentPart, kind: SkippedKind) -> bool:
    return _KIND_OF_PART.get(part.type) == kind


def _transcript(audio: Any) -> Any:
    return audio.get("transcript") if isinstance(audio, dict) else None


def _strings(values: Iterable[Any]) -> str:
    return "\n".join(value for value in values if isinstance(value, str) and value)


def _items(value: Any) -> Sequence[Any]:
    """Give what a field holds, of which a list may have several."""
    if isinstance(value, list):
        return value
    return [value] if value else []


def _string(part: ContentPart, field: str, value: object) -> str:
    if isinstance(value, str):
        return value
    kind = f"a part of type `{part.type}`"
    problem = f"{kind} has no `{field}`" if value is None else f"`{field}` of {kind} is not a string"
    raise InvalidEventError("bad_schema", f"`messages.content`: {problem}", "messages")
