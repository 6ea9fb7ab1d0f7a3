"""Bytes to chat events: every accepted shape, and a plain reason for what cannot be judged.

Knows nothing of Kafka's client.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, get_args

import orjson
from pydantic import ValidationError

from moderator.errors import InvalidEventError
from moderator.events import ChatEvent, DeadLetter, Record, Role, Turn
from moderator.settings import ReadingSettings
from moderator.stream.cloud_events import is_binary, open_envelope
from moderator.stream.conversation import conversation_of
from moderator.stream.event_schema import MAX_NAME_CHARACTERS, ChatEventRecord, ChatMessage, describe
from moderator.stream.exact_json import loads_exactly
from moderator.stream.metadata import InexactNumberError, kept_metadata
from moderator.stream.wire_formats import named_format, without_schema_id

_SKIP_ALL: Final = ReadingSettings()


def decode(record: Record, max_event_bytes: int, reading: ReadingSettings = _SKIP_ALL) -> ChatEvent | DeadLetter:
    """Read one record; what cannot be judged becomes a dead letter with its reason. Never raises because of content.

    Args:
        record: its value is an event.
        max_event_bytes: a larger one cannot be judged.
        reading: what of a message is judged besides its text.
    """
    if record.value is None:
        return DeadLetter("bad_json", "the record has no value")
    if len(record.value) > max_event_bytes:
        return DeadLetter("too_large", f"the record has more than {max_event_bytes} bytes")
    value = without_schema_id(record.value)
    try:
        return _read_value(record, value, reading)
    except InvalidEventError as error:
        named = named_format(value) if error.reason == "bad_json" else None
        return DeadLetter(error.reason, named or str(error), error.field)


class ParsedEvent(NamedTuple):
    """An event that was parsed already, as part of something larger.

    Attributes:
        body: as orjson parses it.
        exact: gives the same as `loads_exactly` parses it; asked only where that may matter.
        unnamed: the id of an event that has none.
    """

    body: Any
    exact: Callable[[], Any]
    unnamed: str


def read_parsed(event: ParsedEvent, record: Record, reading: ReadingSettings = _SKIP_ALL) -> ChatEvent | DeadLetter:
    """Read an event that was parsed already; see `decode`. The record's value is not read."""
    unnamed = event.unnamed
    try:
        try:
            return _read_ordinary(event.body, record, unnamed) or _read_event(event.body, record, reading, unnamed)
        except (InvalidEventError, InexactNumberError):
            return _read_event(event.exact(), record, reading, unnamed, is_exact=True)
    except InvalidEventError as error:
        return DeadLetter(error.reason, str(error), error.field)


def _read_value(record: Record, value: bytes, reading: ReadingSettings) -> ChatEvent:
    """Read the fast way; what that does not accept is read again by the schema, whose result counts."""
    try:
        body = orjson.loads(value)
        return _read_ordinary(body, record) or _read_event(body, record, reading)
    except (orjson.JSONDecodeError, InvalidEventError, InexactNumberError):
        return _read_event(loads_exactly(value), record, reading, is_exact=True)


_ROLES: dict[str, Role] = {role: role for role in get_args(Role)}
_TEXT_FIELDS = ("id", "conversation_id", "tenant", "channel", "locale", "user", "role", "time")
_ROLE_AND_CONTENT: Final = 2
_BESIDE_CONTENT = frozenset(ChatMessage.model_fields) - {"role", "content"}
_OTHER_SHAPES = frozenset(("prompt", "response", "text", "specversion"))


def _read_ordinary(body: Any, record: Record, unnamed: str = "") -> ChatEvent | None:
    """Read the most common kind of event, messages and text fields, in a quarter of the time that the schema takes.

    None for every other event, valid or not.
    """
    if type(body) is not dict or not _OTHER_SHAPES.isdisjoint(body) or is_binary(record):
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
    event_id = event_id or unnamed or f"{record.topic}/{record.partition}/{record.offset}"
    kept = kept_metadata(metadata, is_exact=False) if metadata else None
    return ChatEvent(event_id, conversation, conversation_id, tenant, channel, locale, user, role, time, kept)


def _ordinary_conversation(messages: Any) -> tuple[Turn, ...] | None:
    if type(messages) is not list:
        return None
    turns = []
    for message in messages:
        if type(message) is not dict:
            return None
        if len(message) > _ROLE_AND_CONTENT and not _BESIDE_CONTENT.isdisjoint(message):
            return None
        name, content = message.get("role"), message.get("content")
        role = _ROLES.get(name) if type(name) is str else None
        if role is None or type(content) is not str:
            return None
        turns.append(Turn(role, content))
    return tuple(turns) if turns and turns[-1].content.strip() else None


def _read_event(
    body: Any, record: Record, reading: ReadingSettings, unnamed: str = "", *, is_exact: bool = False
) -> ChatEvent:
    content = open_envelope(body, record)
    try:
        event = ChatEventRecord.model_validate(content)
    except ValidationError as error:
        field, problem = describe(error)
        raise InvalidEventError("bad_schema", f"`{field}`: {problem}", field) from None
    unnamed = unnamed or f"{record.topic}/{record.partition}/{record.offset}"
    return _to_chat_event(event, unnamed, reading, is_exact=is_exact)


def _to_chat_event(event: ChatEventRecord, unnamed: str, reading: ReadingSettings, *, is_exact: bool) -> ChatEvent:
    conversation, skipped = conversation_of(event, reading)
    return ChatEvent(
        id=_name(event.id, "id") or unnamed,
        conversation=conversation,
        conversation_id=_name(event.conversation_id, "conversation_id"),
        tenant=_name(event.tenant, "tenant"),
        channel=_name(event.channel, "channel"),
        locale=event.locale,
        user=_name(event.user, "user"),
        role=event.role,
        time=_time(event.time),
        metadata=kept_metadata(event.metadata, is_exact=is_exact) if event.metadata else None,
        skipped=skipped or None,
    )


def _name(value: str | int | None, field: str) -> str | None:
    if not isinstance(value, int):
        return value
    text = str(value)
    if len(text) > MAX_NAME_CHARACTERS:
        raise InvalidEventError("bad_schema", f"`{field}`: more than {MAX_NAME_CHARACTERS} characters", field)
    return text


def _time(value: str | float | None) -> str | float | None:
    """Keep the time; an integer of more than 64 bits, which cannot be written, becomes the nearest float."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(str(value))  # infinite, and so written as null, where no float is as large
    return value
