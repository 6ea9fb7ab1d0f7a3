"""Builds dead letters: the original record, byte for byte where Kafka's client allows it, and the reason."""

from typing import NamedTuple

from moderator.events import DeadLetter, Record
from moderator.stream.dead_letter import OURS, OWN, replays_of

Headers = list[tuple[str, bytes]]

_RECORD_OVERHEAD_BYTES = 128
"""More than one record needs in addition to its key, value and headers, in a batch of its own."""
_HEADER_OVERHEAD_BYTES = 10


class DeadLetterRecord(NamedTuple):
    """What is sent: never null in both key and value."""

    key: bytes | None
    value: bytes | None
    headers: Headers


def dead_letter_record(record: Record, letter: DeadLetter, at: str, limit_bytes: int) -> DeadLetterRecord:
    """Wrap a record that cannot be judged.

    A dead letter that was sent in again, and is a dead letter again, carries the new reasons only, and how often that
    has happened.

    Args:
        record: as it was polled.
        letter: why it cannot be judged.
        at: when that was found, ISO 8601.
        limit_bytes: what the dead-letter topic accepts. What does not fit is cut: the value first, then the original
            headers, then the key; `dlq.truncated` names what was cut.
    """
    value, headers, nulls = _without_nulls(record)
    reasons = _reasons(record, letter, at)
    if nulls:
        reasons.append(("dlq.null", ",".join(nulls).encode()))
    whole = DeadLetterRecord(record.key, value, headers + reasons)
    return whole if size_bytes(*whole) <= limit_bytes else _cut(whole, len(headers), limit_bytes)


def size_bytes(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Give an upper bound of the record's size, uncompressed."""
    in_headers = sum(len(name.encode()) + len(content) + _HEADER_OVERHEAD_BYTES for name, content in headers)
    return len(key or b"") + len(value or b"") + in_headers + _RECORD_OVERHEAD_BYTES


def _without_nulls(record: Record) -> tuple[bytes | None, Headers, list[str]]:
    """Replace nulls that the client refuses to write, and name them; drop the reasons of an earlier dead letter."""
    original = [(name, content) for name, content in record.headers if name not in OWN]
    headers = [(name, b"" if content is None else content) for name, content in original]
    nulls = [f"header:{name}" for name, content in original if content is None]
    if record.key is None and record.value is None:
        return b"", headers, ["value", *nulls]
    return record.value, headers, nulls


def _reasons(record: Record, letter: DeadLetter, at: str) -> Headers:
    timestamp = "" if record.timestamp_ms is None else str(record.timestamp_ms)
    reasons = {
        "reason": letter.reason,
        "error": letter.error,
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "timestamp": timestamp,
        "at": at,
    }
    if replays := replays_of(record.headers):
        reasons["replays"] = str(replays)
    return [(f"{OURS}{name}", text.encode()) for name, text in reasons.items()]


def _cut(whole: DeadLetterRecord, original_headers: int, limit_bytes: int) -> DeadLetterRecord:
    key, value, headers = whole
    marked = [*headers, _mark(["value", "headers", "key"])]  # the longest mark, so that the final one fits too
    room = limit_bytes - size_bytes(key, b"", marked)
    if room >= 0:
        return DeadLetterRecord(key, (value or b"")[:room], [*headers, _mark(["value"])])
    reasons = headers[original_headers:]
    room = limit_bytes - size_bytes(key, b"", [*reasons, marked[-1]])
    if room >= 0:
        return DeadLetterRecord(key, (value or b"")[:room], [*reasons, _mark(["value", "headers"])])
    kept_key = (key or b"")[: max(0, len(key or b"") + room)]
    return DeadLetterRecord(kept_key, b"", [*reasons, _mark(["value", "headers", "key"])])


def _mark(parts: list[str]) -> tuple[str, bytes]:
    return "dlq.truncated", ",".join(parts).encode()
