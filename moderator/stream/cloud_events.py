"""CloudEvents around an event, and other envelopes that are named but not opened."""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any, Final

from moderator.errors import InvalidEventError
from moderator.events import Record
from moderator.stream.event_schema import ChatEventRecord
from moderator.stream.exact_json import loads_exactly

_VERSION_HEADER: Final = "ce_specversion"
_ATTRIBUTE: Final = re.compile(
    r"(?:ce|cloudevents)[-_:](specversion|id|source|type|time|subject|datacontenttype|dataschema)", re.IGNORECASE
)

_DATA: Final = ("data", "data_base64")
_CONTENT: Final = ("messages", "prompt", "text")


def is_binary(record: Record) -> bool:
    """Whether the record is a CloudEvent in binary mode."""
    return bool(record.headers) and any(name == _VERSION_HEADER for name, _ in record.headers)


def odd_headers(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Find headers that look like CloudEvents' and are not read, because there is no `ce_specversion`.

    Returns:
        Each name as it was sent -> the name that would be read. One that is right needs `ce_specversion` only.
    """
    names = [name for name, _ in headers]
    if _VERSION_HEADER in names:
        return {}
    matches = {name: _ATTRIBUTE.fullmatch(name) for name in names}
    return {name: f"ce_{match[1].lower()}" for name, match in matches.items() if match}


def binary_attributes(record: Record) -> dict[str, str]:
    """Give the id and the time in the headers of a CloudEvent in binary mode, those that are there."""
    headers = dict(record.headers)
    values = {name: headers.get(f"ce_{name}") for name in ("id", "time")}
    return {name: value.decode("utf-8", "replace") for name, value in values.items() if value}


def open_envelope(body: Any, record: Record) -> dict[str, Any]:
    """Take the event out of its envelope, if there is one; add the envelope's id and time where the event has none.

    Raises:
        InvalidEventError: it is no object, or an envelope that cannot be opened; the text names it.
    """
    given = _object_of(body)
    if "specversion" in given and ("data" in given or "data_base64" in given) and not _is_plain(given):
        envelope, event = given, _structured_content(given)
    elif is_binary(record):
        envelope, event = binary_attributes(record), given
    else:
        return given
    missing = {name: envelope[name] for name in ("id", "time") if event.get(name) is None and envelope.get(name)}
    return event | missing


def _object_of(body: Any) -> dict[str, Any]:
    if isinstance(body, list) and body and all(isinstance(each, dict) and "specversion" in each for each in body):
        if len(body) > 1:
            raise InvalidEventError("bad_schema", "a batch of CloudEvents: send one event in each record")
        return _object_of(body[0])
    if not isinstance(body, dict):
        if _holds_an_object(body):
            raise InvalidEventError("bad_schema", "a JSON text inside a JSON text: it was encoded twice")
        raise InvalidEventError("bad_schema", "the record is JSON, but not an object")
    event: dict[str, Any] = body
    if {"schema", "payload"} <= event.keys() and ChatEventRecord.model_fields.keys().isdisjoint(event):
        raise InvalidEventError("bad_schema", "Connect's envelope: set value.converter.schemas.enable=false")
    return event


def _is_plain(body: dict[str, Any]) -> bool:
    """Whether the content is beside an empty `data`.

    Raises:
        InvalidEventError: there are two contents, of which one would go unread.
    """
    given = [name for name in (*_DATA, *_CONTENT) if body.get(name) is not None]
    is_data = [name in _DATA for name in given]
    if len(given) > 1 and any(is_data):
        names = " and ".join(f"`{name}`" for name in given)
        raise InvalidEventError(
            "bad_schema", f"a CloudEvent has one content, in `data` or `data_base64`; given: {names}"
        )
    return bool(given) and not any(is_data)


def _structured_content(body: dict[str, Any]) -> dict[str, Any]:
    data = body.get("data")
    if data is None and "data_base64" in body:
        try:
            data = loads_exactly(base64.b64decode(body["data_base64"] or "", validate=True))
        except (binascii.Error, TypeError, ValueError) as error:
            raise InvalidEventError("bad_schema", "`data_base64` of the CloudEvent is not base64") from error
    elif isinstance(data, str) and _holds_an_object(data):
        data = loads_exactly(data.encode())
    if not isinstance(data, dict):
        raise InvalidEventError("bad_schema", "`data` of the CloudEvent is not an object")
    return data


def _holds_an_object(text: Any) -> bool:
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return False
    try:
        return isinstance(loads_exactly(text.encode()), dict)
    except InvalidEventError:
        return False
