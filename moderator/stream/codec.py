"""Bytes to chat events: every accepted shape, and a plain reason for what cannot be judged.

The event's public shape is `ChatEventRecord`; its JSON Schema is generated from it. Knows nothing of Kafka's client.
"""

import base64
import binascii
import json
import re
from typing import Annotated, Any, get_args

import orjson
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr, ValidationError

from moderator.errors import InvalidEventError
from moderator.events import ChatEvent, DeadLetter, Record, Role, Turn

TEXT_PARTS = ("text", "input_text", "output_text")
MAX_NAME_CHARACTERS = 256
MAX_METADATA_KEYS = 32

Name = Annotated[StrictStr, Field(max_length=MAX_NAME_CHARACTERS)] | StrictInt
"""An identifier; an integer of any size is read as its text."""


class ContentPart(BaseModel):
    """Part of a message; texts are joined by a newline; parts of other types are left out and counted."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        json_schema_extra={
            "if": {"properties": {"type": {"enum": list(TEXT_PARTS)}}},
            "then": {"required": ["text"], "properties": {"text": {"type": "string"}}},
        },
    )

    type: StrictStr
    text: Any = Field(None, description="A string in text parts; in others it is ignored.")


class ChatMessage(BaseModel):
    """One message as in OpenAI's chat API; null content is normal in a message with tool calls."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: Role
    content: StrictStr | list[ContentPart] | None = None


class ChatEventRecord(BaseModel):
    """A chat event. The judged message is the last one; exactly one of `messages`, `prompt`, `text` is given."""

    model_config = ConfigDict(frozen=True, extra="ignore", title="moderator.event/1")

    id: Name | None = Field(None, description="Without it the id is topic/partition/offset.")
    messages: list[ChatMessage] | None = Field(None, min_length=1)
    prompt: StrictStr | None = Field(None, description="Shorthand with `response`: a user's message and its reply.")
    response: StrictStr | None = None
    text: StrictStr | None = Field(None, description="Shorthand: a single user message.")
    conversation_id: Name | None = None
    tenant: Name | None = None
    channel: Name | None = None
    locale: StrictStr | None = None
    user: Name | None = None
    role: StrictStr | None = Field(None, description="The author's role in the product, such as member or moderator.")
    time: StrictStr | StrictInt | StrictFloat | None = Field(None, description="Passed through as given.")
    metadata: dict[str, Any] | None = Field(
        None, description=f"Text values are matched and echoed, {MAX_METADATA_KEYS} at most; others are ignored."
    )


def decode(record: Record, max_event_bytes: int) -> ChatEvent | DeadLetter:
    """Read one record; what cannot be judged becomes a dead letter with its reason. Never raises because of content."""
    if record.value is None:
        return DeadLetter("bad_json", "the record has no value")
    if len(record.value) > max_event_bytes:
        return DeadLetter("too_large", f"the record has more than {max_event_bytes} bytes")
    try:
        return _read_value(record, record.value)
    except InvalidEventError as error:
        return DeadLetter(error.reason, str(error))


def _read_value(record: Record, value: bytes) -> ChatEvent:
    """Read the fast way; what that does not accept is read again by the schema, whose result counts."""
    try:
        body = orjson.loads(value)
        return _read_ordinary(body, record) or _read_event(body, record)
    except (orjson.JSONDecodeError, InvalidEventError):
        return _read_event(_loads_exactly(value), record)


_ROLES: dict[str, Role] = {role: role for role in get_args(Role)}
_TEXT_FIELDS = ("id", "conversation_id", "tenant", "channel", "locale", "user", "role", "time")
_OTHER_SHAPES = frozenset(("prompt", "response", "text", "specversion"))


def _read_ordinary(body: Any, record: Record) -> ChatEvent | None:
    """Read the most common kind of event, messages and text fields, in a quarter of the time that the schema takes.

    None for every other event, valid or not.
    """
    if type(body) is not dict or not _OTHER_SHAPES.isdisjoint(body) or _is_cloud_event(record):
        return None
    metadata = body.get("metadata")
    conversation = _ordinary_conversation(body.get("messages"))
    if conversation is None or (metadata is not None and type(metadata) is not dict):
        return None
    values = [body.get(name) for name in _TEXT_FIELDS]
    for value in values:
        if value is not None and (type(value) is not str or len(value) > MAX_NAME_CHARACTERS):
            return None
    event_id, conversation_id, tenant, channel, locale, user, role, time = values
    event_id = event_id or f"{record.topic}/{record.partition}/{record.offset}"
    kept = _metadata(metadata) if metadata else None
    return ChatEvent(event_id, conversation, conversation_id, tenant, channel, locale, user, role, time, kept)


def _is_cloud_event(record: Record) -> bool:
    return bool(record.headers) and any(name == "ce_specversion" for name, _ in record.headers)


def _ordinary_conversation(messages: Any) -> tuple[Turn, ...] | None:
    if type(messages) is not list:
        return None
    turns = []
    for message in messages:
        if type(message) is not dict:
            return None
        name, content = message.get("role"), message.get("content")
        role = _ROLES.get(name) if type(name) is str else None
        if role is None or type(content) is not str:
            return None
        turns.append(Turn(role, content))
    return tuple(turns) if turns and turns[-1].content.strip() else None


_LONE_SURROGATE = re.compile(
    r"(?P<keep>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|(?P<other>\\.)",
    re.DOTALL,
)


def _loads_exactly(value: bytes) -> Any:  # any JSON value; `_read_event` checks it
    """Parse JSON with a BOM, lone surrogates (they become U+FFFD) and integers of any size.

    Raises:
        InvalidEventError: not UTF-8, or not JSON.
    """
    try:
        text = value.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidEventError("bad_json", f"not UTF-8: byte {error.start} cannot be decoded") from error
    repaired = _LONE_SURROGATE.sub(lambda m: m.group() if m.group("keep") or m.group("other") else r"\ufffd", text)
    try:
        return json.loads(repaired, parse_int=_integer, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        problem = error.msg.lower().removesuffix(" at")
        raise InvalidEventError("bad_json", f"not JSON: {problem} at character {error.pos}") from error
    except RecursionError as error:
        raise InvalidEventError("bad_json", "not JSON that can be read: nested too deeply") from error


def _integer(digits: str) -> int:
    # Python refuses to parse thousands of digits; cut, it is still too long for a name, and infinite as a time
    return int(digits[: 2 * MAX_NAME_CHARACTERS])


def _refuse_constant(name: str) -> None:
    raise InvalidEventError("bad_json", f"not JSON: `{name}` is not a JSON value")


def _read_event(body: Any, record: Record) -> ChatEvent:
    if not isinstance(body, dict):
        raise InvalidEventError("bad_schema", "the record is JSON, but not an object")
    try:
        event = ChatEventRecord.model_validate(_open_envelope(body, record))
    except ValidationError as error:
        raise InvalidEventError("bad_schema", _describe(error)) from None
    return _to_chat_event(event, record)


def _open_envelope(body: dict[str, Any], record: Record) -> dict[str, Any]:
    """Take the event out of a CloudEvents envelope, if there is one; add its id and time where the event has none."""
    if "specversion" in body and ("data" in body or "data_base64" in body) and not _has_content(body):
        envelope, event = body, _envelope_content(body)
    elif _is_cloud_event(record):
        envelope, event = _binary_attributes(record), body
    else:
        return body
    missing = {name: envelope[name] for name in ("id", "time") if event.get(name) is None and envelope.get(name)}
    return event | missing


def _has_content(body: dict[str, Any]) -> bool:
    return any(body.get(name) is not None for name in ("messages", "prompt", "text"))


def _envelope_content(body: dict[str, Any]) -> dict[str, Any]:
    data = body.get("data")
    if data is None and "data_base64" in body:
        try:
            data = _loads_exactly(base64.b64decode(body["data_base64"] or "", validate=True))
        except (binascii.Error, TypeError, ValueError) as error:
            raise InvalidEventError("bad_schema", "`data_base64` of the CloudEvent is not base64") from error
    if not isinstance(data, dict):
        raise InvalidEventError("bad_schema", "`data` of the CloudEvent is not an object")
    return data


def _binary_attributes(record: Record) -> dict[str, str]:
    headers = dict(record.headers)
    values = {name: headers.get(f"ce_{name}") for name in ("id", "time")}
    return {name: value.decode("utf-8", "replace") for name, value in values.items() if value}


_FIELDS = frozenset(
    name for model in (ChatEventRecord, ChatMessage, ContentPart) for name in model.model_fields
)  # only our own names may appear in an error
_A_NAME = "text or a whole number"
_WANTED = {
    **dict.fromkeys(("id", "conversation_id", "tenant", "channel", "user"), _A_NAME),
    **dict.fromkeys(("prompt", "response", "text", "locale", "role", "type"), "text"),
    "time": "text or a number",
    "messages": "a list of objects",
    "content": "text or a list of parts",
    "metadata": "an object",
}
_PROBLEMS = {
    "model_type": "should be an object",
    "missing": "is missing",
    "too_short": "is empty",
    "string_too_long": f"more than {MAX_NAME_CHARACTERS} characters",
}


def _describe(error: ValidationError) -> str:
    """Name the place and the problem in one line; quote nothing that was sent."""
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    # each accepted shape has its errors: the deepest one belongs to the shape that was meant
    first = max(errors, key=lambda each: len(each["loc"]))
    steps = [part for part in first["loc"] if isinstance(part, int) or part in _FIELDS]
    field = next((part for part in reversed(steps) if isinstance(part, str)), "")
    kind = first["type"]
    if kind in _PROBLEMS:
        problem = _PROBLEMS[kind]
    elif kind.endswith("_type") and field in _WANTED:
        problem = f"should be {_WANTED[field]}"
    else:
        problem = first["msg"].lower()
    return f"`{'.'.join(map(str, steps))}`: {problem}"


def _to_chat_event(event: ChatEventRecord, record: Record) -> ChatEvent:
    conversation, skipped_parts = _conversation(event)
    if not conversation[-1].content.strip():
        raise InvalidEventError("no_text", "the judged message, the last one, has no text")
    return ChatEvent(
        id=_name(event.id, "id") or f"{record.topic}/{record.partition}/{record.offset}",
        conversation=conversation,
        conversation_id=_name(event.conversation_id, "conversation_id"),
        tenant=_name(event.tenant, "tenant"),
        channel=_name(event.channel, "channel"),
        locale=event.locale,
        user=_name(event.user, "user"),
        role=event.role,
        time=_time(event.time),
        metadata=_metadata(event.metadata) if event.metadata else None,
        skipped_parts=skipped_parts,
    )


def _name(value: str | int | None, field: str) -> str | None:
    if not isinstance(value, int):
        return value
    text = str(value)
    if len(text) > MAX_NAME_CHARACTERS:
        raise InvalidEventError("bad_schema", f"`{field}`: more than {MAX_NAME_CHARACTERS} characters")
    return text


def _time(value: str | float | None) -> str | float | None:
    """Keep the time; an integer of more than 64 bits, which cannot be written, becomes the nearest float."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(str(value))  # infinite, and so written as null, where no float is as large
    return value


def _metadata(given: dict[str, Any]) -> dict[str, str]:
    texts = [(key, value) for key, value in given.items() if isinstance(value, str)]
    return dict(texts[:MAX_METADATA_KEYS])


def _conversation(event: ChatEventRecord) -> tuple[tuple[Turn, ...], int]:
    """Give the turns and how many content parts were left out."""
    shapes = [name for name in ("messages", "prompt", "text") if getattr(event, name) is not None]
    if len(shapes) != 1:
        given = " and ".join(f"`{name}`" for name in shapes) or "none"
        raise InvalidEventError("bad_schema", f"exactly one of `messages`, `prompt`, `text` is needed; given: {given}")
    if (event.response is None) == (event.prompt is not None):
        raise InvalidEventError("bad_schema", "`prompt` and `response` go together")
    if event.messages is not None:
        return _turns(event.messages)
    if event.prompt is not None and event.response is not None:
        return (Turn("user", event.prompt), Turn("assistant", event.response)), 0
    return (Turn("user", event.text or ""),), 0


def _turns(messages: list[ChatMessage]) -> tuple[tuple[Turn, ...], int]:
    turns: list[Turn] = []
    skipped = 0
    for message in messages:
        content = message.content
        if isinstance(content, list):
            texts = [_part_text(part) for part in content if part.type in TEXT_PARTS]
            skipped += len(content) - len(texts)
            content = "\n".join(texts)
        turns.append(Turn(message.role, content or ""))
    return tuple(turns), skipped


def _part_text(part: ContentPart) -> str:
    if part.text is None:
        raise InvalidEventError("bad_schema", f"`messages.content`: a part of type `{part.type}` has no `text`")
    if not isinstance(part.text, str):
        raise InvalidEventError(
            "bad_schema", f"`messages.content`: `text` of a part of type `{part.type}` is not a string"
        )
    return part.text
