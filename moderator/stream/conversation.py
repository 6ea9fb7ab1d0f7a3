"""Chat messages to turns: what of a message is judged, and how much of it is skipped."""

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from moderator.errors import InvalidEventError
from moderator.events import SkippedKind, Turn
from moderator.stream.event_schema import TEXT_PARTS, ChatEventRecord, ChatMessage, ContentPart

_KIND_OF_PART: Final[dict[str, SkippedKind]] = {
    **dict.fromkeys(("image", "image_url", "input_image"), "image"),
    **dict.fromkeys(("audio", "input_audio"), "audio"),
    **dict.fromkeys(("file", "input_file"), "file"),
    **dict.fromkeys(("thinking", "reasoning"), "reasoning"),
    **dict.fromkeys(("tool_use", "tool_call"), "tool_call"),
}
"""Every other part is `other`."""


class Conversation(NamedTuple):
    """The turns of an event, the judged one last, and what was skipped in all of them, zeros left out."""

    turns: tuple[Turn, ...]
    skipped: dict[SkippedKind, int]


def conversation_of(event: ChatEventRecord) -> Conversation:
    """Read the event's one shape of content.

    Raises:
        InvalidEventError: there is none, more than one, or half of one.
    """
    shapes = [name for name in ("messages", "prompt", "text") if getattr(event, name) is not None]
    if len(shapes) != 1:
        given = " and ".join(f"`{name}`" for name in shapes) or "none"
        raise InvalidEventError("bad_schema", f"exactly one of `messages`, `prompt`, `text` is needed; given: {given}")
    if (event.response is None) == (event.prompt is not None):
        raise InvalidEventError("bad_schema", "`prompt` and `response` go together")
    if event.messages is not None:
        skipped: Counter[SkippedKind] = Counter()
        turns = tuple(Turn(message.role, _text(message, skipped)) for message in event.messages)
        return Conversation(turns, dict(+skipped))
    if event.prompt is not None and event.response is not None:
        return Conversation((Turn("user", event.prompt), Turn("assistant", event.response)), {})
    return Conversation((Turn("user", event.text or ""),), {})


def _text(message: ChatMessage, skipped: Counter[SkippedKind]) -> str:
    """Give what the reader saw: the content, then a refusal; count the rest."""
    skipped["reasoning"] += bool(message.reasoning_content) + bool(message.reasoning)
    skipped["tool_call"] += len(message.tool_calls or ()) + (message.function_call is not None)
    content = message.content
    text = "\n".join(_part_texts(content, skipped)) if isinstance(content, list) else content or ""
    return "\n".join(filter(None, (text, message.refusal))) if message.refusal else text


def _part_texts(parts: list[ContentPart], skipped: Counter[SkippedKind]) -> Iterator[str]:
    for part in parts:
        if part.type in TEXT_PARTS:
            yield _string(part, "text", part.text)
        elif part.type == "refusal":
            yield _string(part, "refusal", part.refusal)
        else:
            skipped[_KIND_OF_PART.get(part.type, "other")] += 1


def _string(part: ContentPart, field: str, value: object) -> str:
    if value is None:
        raise InvalidEventError("bad_schema", f"`messages.content`: a part of type `{part.type}` has no `{field}`")
    if not isinstance(value, str):
        raise InvalidEventError(
            "bad_schema", f"`messages.content`: `{field}` of a part of type `{part.type}` is not a string"
        )
    return value
