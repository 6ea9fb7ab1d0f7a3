"""How other producers wrap the bytes of an event: what is read, and what is named so that it can be corrected."""

import re
from typing import Final

_SCHEMA_REGISTRY: Final = b"\x00"
"""Confluent's wire format: this byte, four bytes of a schema's id, then the content."""
_PREFIX_BYTES: Final = 5
_JSON_BEGINS: Final = re.compile(rb"[ \t\r\n]*[{\[]")
_KNOWN: Final = (
    (b"\x1f\x8b", "gzip: send the JSON uncompressed, Kafka compresses it"),
    (b"\xac\xed", "Java serialisation: send JSON"),
    (b"\xff\xfe", "UTF-16: send UTF-8"),
    (b"\xfe\xff", "UTF-16: send UTF-8"),
)
_UTF_16: Final = re.compile(rb"(?:\x00[ -~]){2}|(?:[ -~]\x00){2}")


def without_schema_id(value: bytes) -> bytes:
    """Remove the prefix of Confluent's wire format where JSON follows it."""
    if value.startswith(_SCHEMA_REGISTRY) and _JSON_BEGINS.match(value, _PREFIX_BYTES):
        return value[_PREFIX_BYTES:]
    return value


def named_format(value: bytes) -> str | None:
    """Name the format of bytes that are not JSON, and what to send instead; None for one that is not known."""
    known = next((name for beginning, name in _KNOWN if value.startswith(beginning)), None)
    if known is not None:
        return f"looks like {known}"
    if _UTF_16.match(value):
        return "looks like UTF-16: send UTF-8"
    if value.startswith(_SCHEMA_REGISTRY) and len(value) >= _PREFIX_BYTES:
        schema_id = int.from_bytes(value[1:_PREFIX_BYTES], "big")
        return f"looks like Avro or Protobuf in Confluent's wire format (schema id {schema_id}): send JSON"
    return None
