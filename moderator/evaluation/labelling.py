"""Labels of verdicts joined with the events that they are about: a file of labelled events for one objective."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from moderator.backtest.labels import Key, Labels
from moderator.events import ChatEvent, Record
from moderator.settings import Settings
from moderator.stream.codec import decode

_FIELDS = ("id", "conversation_id", "tenant", "channel", "locale", "user", "role", "time", "metadata")


def labelled_lines(records: Iterable[Record], labels: Labels, objective: str, settings: Settings) -> Iterator[bytes]:
    """Give a line for each labelled event, as `read_labelled` reads it: 1 where a flag would be right, else 0.

    Args:
        records: their values are events, as they were sent; what is no event is passed over.
        labels: the verdict that would be right, by event.
        objective: what a flag means.
        settings: how events are read.
    """
    given: set[Key] = set()
    for record in records:
        event = decode(record, settings.max_event_bytes, settings.reading)
        if not isinstance(event, ChatEvent):
            continue
        key = labels.key_of(event.tenant, event.id)
        if key is not None and key not in given:
            given.add(key)
            said = {objective: int(labels.verdicts[key] == "flag")}
            yield orjson.dumps({**_fields(event), "labels": said}) + b"\n"


def _fields(event: ChatEvent) -> dict[str, Any]:
    messages = [{"role": turn.role, "content": turn.content} for turn in event.conversation]
    named = {name: getattr(event, name) for name in _FIELDS}
    return {name: value for name, value in named.items() if value is not None} | {"messages": messages}
