"""What a decision says its event's content was: the same for the same turns, wherever they came from."""

import hashlib

import orjson

from moderator.events import ChatEvent


def content_hash(event: ChatEvent) -> str:
    """Give 64 hex digits of SHA-256 over the JSON array of [role, content] pairs, UTF-8 without white space."""
    return hashlib.sha256(orjson.dumps([list(turn) for turn in event.conversation])).hexdigest()
