"""Chat messages to turns: what of a message is judged, and how much of it is skipped."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from moderator.errors import InvalidEventError
from moderator.events import SkippedKind, Turn
from moderator.settings import ReadingSettings
from moderator.stream.event_schema import TEXT_PARTS, ChatEventRecord, ChatMessage, ContentPart

_KIND_OF_PART: Final[dict[str, SkippedKind]] = {
    **dict.fromkeys(("image", "image_url", "input_image"), "image"),
    **dict.fromkeys(("audio", "input_audio"), "audio"),
    **dict.fromkeys(("file", "input_file"), "file"),
    **dict.fromkeys(("thinking", "reasoning"), "reasoning"),
    **dict.fromkeys(("tool_use", "tool_call"), "tool_call"),
}
"""Every other part is `other`."""
_READ_PARTS: Final = (*TEXT_PARTS, "refusal", "thinking", "reasoning")
_REMEDIES: Final[dict[SkippedKind, str]] = {
    "reasoning": "it has reasoning, which `MODERATOR_READING__REASONING=judge` would judge",
    "tool_call": "it has tool calls, which `MODERATOR_READING__TOOL_CALLS=judge` would judge",
}


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
    read = [_read(message, reading) for message in _messages(event)]
    _, unread = read[-1]
    turns = tuple(turn for turn, _ in read)
    if not turns[-1].content.strip():
        raise InvalidEventError("no_text", _no_text(unread))
    skipped = sum((each for _, each in read), Counter[SkippedKind]())
    return Conversation(turns, dict(skipped))


def _messages(event: ChatEventRecord) -> Sequence[ChatMessage]:
    if event.messages is not None:
        return event.messages
    if event.prompt is not None:
        return ChatMessage(role="user", content=event.prompt), ChatMessage(role="assistant", content=event.response)
    return (ChatMessage(role="user", content=event.text),)


def _no_text(unread: Counter[SkippedKind]) -> str:
    """Say why nothing can be judged, and which setting would change that."""
    remedies = [remedy for kind, remedy in _REMEDIES.items() if unread[kind]]
    return "; ".join(["the judged message, the last one, has no text", *remedies])


def _read(message: ChatMessage, reading: ReadingSettings) -> tuple[Turn, Counter[SkippedKind]]:
    """Give what is judged of a message: reasoning, the content, a refusal, tool calls; and count the rest."""
    parts = message.content if isinstance(message.content, list) else []
    content = message.content if isinstance(message.content, str) else "\n".join(_part_texts(parts))
    thoughts = _thoughts(message, parts)
    calls = [*(call.function for call in message.tool_calls or ()), *filter(None, [message.function_call])]
    skipped = Counter(_KIND_OF_PART.get(part.type, "other") for part in parts if part.type not in _READ_PARTS)
    skipped["reasoning"] += len(thoughts)
    skipped["tool_call"] += len(calls)
    text = "\n".join(filter(None, (content, message.refusal)))
    if reading.reasoning == "judge" and message.role == "assistant":
        judged = [thought for thought in thoughts if thought]
        skipped["reasoning"] -= len(judged)
        text = "\n\n".join(filter(None, ("\n".join(judged), text)))
    if reading.tool_calls == "judge":
        lines = [line for call in calls if call and (line := " ".join(filter(None, (call.name, call.arguments))))]
        skipped["tool_call"] -= len(lines)
        text = "\n".join(filter(None, (text, *lines)))
    return Turn(message.role, text), +skipped


def _thoughts(message: ChatMessage, parts: Sequence[ContentPart]) -> list[str]:
    """Give every text of reasoning; an empty one for a part whose text is not where it is expected."""
    fields = filter(None, (message.reasoning_content, message.reasoning))
    thoughts = (part for part in parts if _KIND_OF_PART.get(part.type) == "reasoning")
    texts = ((part.thinking, part.reasoning, part.text) for part in thoughts)
    return [*fields, *(next((text for text in each if isinstance(text, str)), "") for each in texts)]


def _part_texts(parts: Sequence[ContentPart]) -> Iterator[str]:
    for part in parts:
        if part.type in TEXT_PARTS:
            yield _string(part, "text", part.text)
        elif part.type == "refusal":
            yield _string(part, "refusal", part.refusal)


def _string(part: ContentPart, field: str, value: object) -> str:
    if isinstance(value, str):
        return value
    kind = f"a part of type `{part.type}`"
    problem = f"{kind} has no `{field}`" if value is None else f"`{field}` of {kind} is not a string"
    raise InvalidEventError("bad_schema", f"`messages.content`: {problem}", "messages")
