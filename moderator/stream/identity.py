"""Whose dead letter a record is: the tenant and id under which its sender asks what became of it."""

from typing import Any

import orjson

from moderator.errors import InvalidEventError
from moderator.events import DeadLetter, Record, Rejection
from moderator.stream.cloud_events import binary_attributes, is_binary, open_envelope
from moderator.stream.event_schema import MAX_NAME_CHARACTERS, whole_number
from moderator.stream.exact_json import loads_exactly
from moderator.stream.wire_formats import without_schema_id


def rejection_of(record: Record, dead_letter: DeadLetter) -> Rejection:
    """Name a dead letter as its decision would have been; where that cannot be read, by the record's place."""
    fields = _fields(record, is_large=dead_letter.reason == "too_large")
    event_id, tenant = whole_number(fields.get("id")), whole_number(fields.get("tenant"))
    if event_id != "" and _is_name(event_id) and (tenant is None or _is_name(tenant)):
        return Rejection(None if tenant is None else str(tenant), str(event_id), dead_letter.reason)
    return Rejection(None, f"{record.topic}/{record.partition}/{record.offset}", dead_letter.reason)


def _fields(record: Record, *, is_large: bool) -> dict[str, Any]:
    """Read the event's fields; of a CloudEvent whose content cannot be read, the envelope's id alone."""
    try:
        body = _parse(without_schema_id(record.value or b""), is_large=is_large)
    except InvalidEventError:
        body = None
    try:
        return open_envelope(body, record)
    except InvalidEventError:
        envelope = binary_attributes(record) if is_binary(record) else body
        return {"id": envelope.get("id")} if isinstance(envelope, dict) else {}


def _parse(value: bytes, *, is_large: bool) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None if is_large else loads_exactly(value)  # takes long, and there is no limit to a record's size


def _is_name(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    return len(str(value)) <= MAX_NAME_CHARACTERS
