"""Why an event of a request cannot be judged, as a refusal; and its size."""

import json
from collections.abc import Mapping
from typing import Any, Final

import orjson

from moderator.events import DeadLetter, DeadLetterReason
from moderator.http.refusals import Refusal

_STATUS: Final[Mapping[DeadLetterReason, tuple[int, str]]] = {
    "bad_json": (422, "bad_schema"),  # JSON within the JSON
    "bad_schema": (422, "bad_schema"),
    "no_text": (422, "no_text"),
    "too_large": (413, "too_large"),
    "crashed_scorer": (500, "crashed_scorer"),
}


def refusal_of(dead_letter: DeadLetter, param: str | None) -> Refusal:
    """Say why an event cannot be judged; `param` names it or its wrong field."""
    status, code = _STATUS[dead_letter.reason]
    return Refusal(status, code, dead_letter.error, param=param)


def too_large(most_bytes: int) -> DeadLetter:
    """Give the dead letter of an event or a text that is too large."""
    return DeadLetter("too_large", f"it has more than {most_bytes} bytes")


def no_text() -> DeadLetter:
    """Give the dead letter of a text that is empty or blank."""
    return DeadLetter("no_text", "there is no text to judge")


def batch_too_large(most: int, what: str) -> Refusal:
    """There are more of them than a request may have."""
    return Refusal(413, "batch_too_large", f"more than {most} {what} in a request; send several requests")


def compact_bytes(value: Any) -> int:
    """Give the size of a JSON value without white space, in UTF-8."""
    try:
        return len(orjson.dumps(value))
    except TypeError:  # a whole number of more than 64 bits
        return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def utf8_bytes(text: str) -> int:
    """Give the size of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def bad_request(message: str, param: str | None = None) -> Refusal:
    """Say that a body does not have the route's shape."""
    return Refusal(400, "bad_request", message, param=param)
