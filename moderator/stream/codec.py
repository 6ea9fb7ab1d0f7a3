"""Bytes to chat events: every accepted shape, and a plain reason for what cannot be judged.

Knows nothing of Kafka's client.
"""

import base64
import binascii
from typing import Any, get_args

import orjson
from pydantic import ValidationError

from moderator.errors import InvalidEventError
from moderator.events import ChatEvent, DeadLetter, Record, Role, Turn
from moderator.stream.event_schema import (
    MAX_METADATA_KEYS,
    MAX_NAME_CHARACTERS,
    TEXT_PARTS,
    ChatEventRecord,
    ChatMessage,
    ContentPart,
    describe,
)
from moderator.stream.exact_json import loads_exactly


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
        return _read_event(loads_exactly(value), record)


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


def _read_event(body: Any, record: Record) -> ChatEvent:
    if not isinstance(body, dict):
        raise InvalidEventError("bad_schema", "the record is JSON, but not an object")
    try:
        event = ChatEventRecord.model_validate(_open_envelope(body, record))
    except ValidationError as error:
        raise InvalidEventError("bad_schema", describe(error)) from None
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
            data = loads_exactly(base64.b64decode(body["data_base64"] or "", validate=True))
        except (binascii.Error, TypeError, ValueError) as error:
            raise InvalidEventError("bad_schema", "`data_base64` of the CloudEvent is not base64") from error
    if not isinstance(data, dict):
        raise InvalidEventError("bad_schema", "`data` of the CloudEvent is not an object")
    return data


def _binary_attributes(record: Record) -> dict[str, str]:
    headers = dict(record.headers)
    values = {name: headers.get(f"ce_{name}") for name in ("id", "time")}
    return {name: value.decode("utf-8", "replace") for name, value in values.items() if value}


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
